"""The seeded proof of two-leg execution: short lives of a desk, judged from the venues' truth.

`manage.py prove` and the tests run it. Each seed is one desk in virtual time: the real
engine, executor, recovery, adapters and PostgreSQL over the still venues, with faults,
deaths, a second engine, commands of people; then a judge that knows no code of the engine.
Nothing here runs in production.
"""
