"""Runs after all other models: completes a first start, or one after the models changed."""

if first_start_due:
    first_start_due.finish(db, auth)
