"""What tests share: the oracle and other models, generators of histories, and helpers that land and refresh.

Belongs here: every module that several test modules import. Does not belong here: tests. The models and the
oracle import nothing of orchestration/, so that they cannot repeat its mistakes.
"""
