"""Make the generated pages and tables of docs/ and the README's tables anew, or check that those that are committed are what would be made.

`python -m handbook` writes them; with `--check` nothing is written, and a difference is exit code 1.
`python -m handbook pictures FOLDER` draws the tutorial's pictures from the runs of a `labctl compare --to FOLDER`
and from docs/measured/serving.json; without FOLDER only what is drawn from the latter.
"""

import sys
from pathlib import Path

from handbook import generated

match sys.argv[1:]:
    case []:
        generated.write()
    case ["--check"]:
        if found := generated.drift():
            sys.exit(f"{found}\nthe documentation differs from the code: run `python -m handbook` and commit what it writes")
    case ["pictures", *folder] if len(folder) < 2:
        from handbook import pictures, serving_picture

        if folder:
            pictures.draw(Path(folder[0]))
        serving_picture.draw()
    case _:
        sys.exit("python -m handbook [--check | pictures [FOLDER]]")
