# ruff: noqa: S608 - made of constants
"""SQL views: the registry as people open it in Datasette or sqlite-utils, and as listings read it.

Migration 6 made them, so they are never edited: another migration drops a view and makes it anew.
"""

from __future__ import annotations

# What people call a trial and a job: `tunekit.model.trial_name`, `Job.title`.
_NAME = "{0}.experiment || CASE {0}.{1} WHEN 'main' THEN '' ELSE '/' || {0}.{1} END"

# Who asked for a job. Without it a job of an experiment with n jobs is looked for among n events,
# which takes 23 s for 10,000 jobs of one experiment.
ASKED_INDEX = (
    "CREATE INDEX events_that_made_jobs ON events(job_id) WHERE kind IN ('intent', 'imported')"
)

VIEWS = {
    # A line a job, with who asked for it and why: `tunekit history`.
    "job_history": f"""
        SELECT {_NAME.format("jobs", "trial")} || '@' || jobs.number AS job, jobs.*,
            jobs.ended_s - jobs.started_s AS took_s, jobs.reason AS why,
            events.who, events.command, events."commit", events.is_dirty, experiments.tags
        FROM jobs
        JOIN experiments ON experiments.name = jobs.experiment
        LEFT JOIN events ON events.id = (
            SELECT max(id) FROM events
            WHERE job_id = jobs.id AND kind IN ('intent', 'imported')
        )
    """,
    # A line a trial, with the newest job of its current revision: `tunekit status`.
    "current_jobs": f"""
        SELECT {_NAME.format("trials", "key")} AS trial_name, trials.experiment AS of_experiment,
            trials.key AS of_trial, trials.desired_state, trials.is_protected,
            experiments.tags, jobs.*
        FROM trials
        JOIN experiments ON experiments.name = trials.experiment
        LEFT JOIN jobs ON jobs.id = (
            SELECT max(id) FROM jobs
            WHERE experiment = trials.experiment AND trial = trials.key AND phase != 'ABSENT'
            AND (trials.revision IS NULL OR revision = trials.revision)
        )
    """,
    # A line a score.
    "scores": f"""
        SELECT {_NAME.format("jobs", "trial")} || '@' || jobs.number AS job, evaluations.id,
            evaluations.model, evaluations.split, evaluations.rows, evaluations.at_s,
            score.key AS metric, score.value
        FROM evaluations
        JOIN jobs ON jobs.id = evaluations.job_id, json_each(evaluations.scores) AS score
    """,
    # A line a metric point, by what people call its job.
    "curves": f"""
        SELECT {_NAME.format("jobs", "trial")} || '@' || jobs.number AS job,
            metric_points.metric, metric_points.step, metric_points.value, metric_points.time_s
        FROM metric_points JOIN jobs ON jobs.id = metric_points.job_id
    """,
}
