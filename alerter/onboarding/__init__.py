"""A first configuration from what is in use on an MLflow server.

`survey` reads a ledger that was filled without budgets, `propose` chooses a tag and amounts, `files` writes them down.
"""

from alerter.onboarding.answers import Answers
from alerter.onboarding.files import files, provisional_files
from alerter.onboarding.proposal import Proposal, candidates, derivable, propose, provisional
from alerter.onboarding.survey import Survey, survey

__all__ = [
    "Answers",
    "Proposal",
    "Survey",
    "candidates",
    "derivable",
    "files",
    "propose",
    "provisional",
    "provisional_files",
    "survey",
]
