"""The seed of a random test, printed with the one command that repeats it."""

import os
import random


def campaign_seed() -> int:
    """OPENBELL_SEED, or a new one."""
    told = os.environ.get("OPENBELL_SEED")
    seed = int(told) if told else random.SystemRandom().randrange(2**31)
    print(f"seed {seed}: OPENBELL_SEED={seed} repeats it")
    return seed
