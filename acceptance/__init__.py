"""Acceptance 受入試験: the test cases as data, what was expected beside what happened, and the evidence of it."""
