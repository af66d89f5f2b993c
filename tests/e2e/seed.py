"""What is tried in every run of the tests where all of it takes long: a day has one seed, and LAB_TEST_SEED repeats another day's."""

import os
import random
import time

SEED = int(os.environ.get("LAB_TEST_SEED", time.time() // 86400))


def chosen(what: str) -> random.Random:
    """Random numbers of this seed for one test, so that tests do not depend on each other's order."""
    return random.Random(f"{SEED}/{what}")
