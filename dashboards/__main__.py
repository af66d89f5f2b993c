"""Write the dashboards' JSON for Grafana to provision, or check that what is committed is what the code says.

`python -m dashboards` writes charts/lab/dashboards/*.json; with `--check` nothing is written, and a difference is exit code 1.
"""

import sys

from dashboards import generated

if sys.argv[1:] == ["--check"]:
    if found := generated.drift():
        sys.exit(f"{found}\nthe dashboards differ from the code: run `python -m dashboards` and commit what it writes")
elif sys.argv[1:]:
    sys.exit("python -m dashboards [--check]")
else:
    generated.write()
