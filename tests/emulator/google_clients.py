"""Google's own clients against `tunekit emulator`, and nothing of tunekit: how each is used.

    tunekit emulator --port 8085 --time-scale 1000 &
    python tests/emulator/google_clients.py http://127.0.0.1:8085

Prints a line a step, and ends with exit code 1 at the first that is not as on the real service.
Needs google-generativeai, google-genai, google-cloud-aiplatform, google-cloud-storage, pandas and
curl.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

PROJECT, LOCATION, BUCKET = "my-project", "us-central1", "my-tuning-data"
BASE_MODEL = "gemini-3.5-flash"
GEMINI_BASE_MODEL = "models/gemini-1.5-flash-001-tuning"
QUESTION, ANSWER = "Where is order #7654?", "Where is order [ORDER]?"
METRICS = {
    *("/train_total_loss", "/train_fraction_of_correct_next_step_preds"),
    *("/train_num_predictions", "/eval_total_loss"),
    *("/eval_fraction_of_correct_next_step_preds", "/eval_num_predictions"),
}


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    url = sys.argv[1].rstrip("/")
    warnings.simplefilter("ignore")  # of ends of life, and of Python's version
    os.environ["NO_PROXY"] = urlsplit(url).hostname or ""
    os.environ["STORAGE_EMULATOR_HOST"] = url
    train, validation = upload_data()
    use_generativeai(url)
    use_vertexai(url, train)
    use_genai_and_aiplatform(url, train, validation)
    use_curl(url, train)
    ours = [name for name in sys.modules if name.partition(".")[0] == "tunekit"]
    check("no code of tunekit was imported", ours, [])


def check(what: str, seen: Any, wanted: Any = True) -> None:
    """Print a step that is as expected; end the script at one that is not."""
    if seen != wanted:
        print(f"NO  {what}: expected {wanted!r}, seen {seen!r}", flush=True)
        sys.exit(1)
    print(f"ok  {what}", flush=True)


def wait_until(is_so: Callable[[], Any], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            print(f"NO  waited {seconds:g} s in vain", flush=True)
            sys.exit(1)
        time.sleep(0.05)


def rows(count: int) -> list[tuple[str, str]]:
    """Return a task that is soon learned: hide the order's number."""
    texts = ["Where is order {}?", "Please cancel order {}", "Order {} came broken", "Hello"]
    texts += ["Thanks for order {}, see you soon", "Nothing to hide here"]
    numbers = [f"#{1000 + 37 * i % 9000}" for i in range(count)]
    return [
        (texts[i % len(texts)].format(number), texts[i % len(texts)].format("[ORDER]"))
        for i, number in enumerate(numbers)
    ]


# ---- google-cloud-storage ------------------------------------------------------------------------


def upload_data() -> tuple[str, str]:
    """Put training and validation rows where Vertex AI reads them; return their URIs."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    client = storage.Client(project=PROJECT, credentials=AnonymousCredentials())
    bucket = client.lookup_bucket(BUCKET) or client.create_bucket(BUCKET)
    for name, count in (("train", 120), ("validation", 20)):
        lines = [
            json.dumps(
                {
                    "contents": [
                        {"role": "user", "parts": [{"text": question}]},
                        {"role": "model", "parts": [{"text": answer}]},
                    ]
                }
            )
            for question, answer in rows(count)
        ]
        bucket.blob(f"{name}.jsonl").upload_from_string("\n".join(lines))
        check(f"storage: {name}.jsonl is there", bucket.blob(f"{name}.jsonl").exists())
    return f"gs://{BUCKET}/train.jsonl", f"gs://{BUCKET}/validation.jsonl"


# ---- google-generativeai -------------------------------------------------------------------------


def use_generativeai(url: str) -> None:
    """Tune from a DataFrame, follow the operation, ask the tuned model."""
    import google.generativeai as genai
    import pandas

    genai.configure(api_key="any", transport="rest", client_options={"api_endpoint": url})
    operation = genai.create_tuned_model(
        source_model=GEMINI_BASE_MODEL,
        training_data=pandas.DataFrame(rows(60), columns=["text_input", "output"]),
        id="order-numbers",
        display_name="Order numbers",
        epoch_count=3,
        batch_size=6,
        learning_rate=0.001,
    )
    name = "tunedModels/order-numbers"
    check("generativeai: create_tuned_model names the model", operation.metadata.tuned_model, name)
    check("generativeai: operation.metadata.total_steps", operation.metadata.total_steps, 30)
    found = genai.get_tuned_model(name)
    check("generativeai: get_tuned_model knows its base", found.base_model, GEMINI_BASE_MODEL)
    percents = [metadata.completed_percent for metadata in operation.wait_bar(disable=True)]
    check("generativeai: wait_bar yields percents that grow", percents == sorted(percents) != [])
    model = operation.result()
    check("generativeai: completed_percent at the end", operation.metadata.completed_percent, 100.0)
    snapshots = model.tuning_task.snapshots
    check("generativeai: a snapshot for every step", [s["step"] for s in snapshots],
          list(range(1, 31)))  # fmt: skip
    check("generativeai: the last snapshot's epoch", snapshots[-1]["epoch"], 3)
    check("generativeai: the loss fell", snapshots[-1]["mean_loss"] < snapshots[0]["mean_loss"] / 2)
    found = genai.get_tuned_model(name)
    check("generativeai: get_tuned_model at the end", found.state.name, "ACTIVE")
    check("generativeai: its hyperparameters", found.tuning_task.hyperparameters.epoch_count, 3)
    listed = [model.name for model in genai.list_tuned_models()]
    check("generativeai: list_tuned_models", listed[:1], [name])
    answer = genai.GenerativeModel(model_name=name).generate_content(QUESTION)
    check("generativeai: GenerativeModel(...).generate_content", answer.text, ANSWER)
    genai.delete_tuned_model(name)
    gone = name not in [model.name for model in genai.list_tuned_models()]
    check("generativeai: delete_tuned_model", gone)


# ---- vertexai.tuning -----------------------------------------------------------------------------


def use_vertexai(url: str, train: str) -> None:
    """Tune by the SDK that most notebooks use; list, cancel, ask."""
    import vertexai
    from google.auth.credentials import AnonymousCredentials
    from vertexai.generative_models import GenerativeModel
    from vertexai.tuning import sft

    vertexai.init(
        project=PROJECT,
        location=LOCATION,
        api_endpoint=url,
        api_transport="rest",
        credentials=AnonymousCredentials(),
    )
    job = sft.train(
        source_model=BASE_MODEL,
        train_dataset=train,
        epochs=3,
        adapter_size=4,
        learning_rate_multiplier=1.0,
        tuned_model_display_name="order-numbers",
        labels={"team": "support"},
    )
    check("vertexai: sft.train returns a job that has not ended", job.has_ended, False)
    wait_until(lambda: job.refresh().has_ended)
    check("vertexai: refresh until has_ended, has_succeeded", job.has_succeeded)
    check("vertexai: tuned_model_name has a version", job.tuned_model_name.endswith("@1"))
    check("vertexai: tuned_model_endpoint_name", "/endpoints/" in job.tuned_model_endpoint_name)
    answer = GenerativeModel(job.tuned_model_endpoint_name).generate_content(QUESTION)
    check("vertexai: GenerativeModel(endpoint).generate_content", answer.text, ANSWER)
    long = sft.train(source_model=BASE_MODEL, train_dataset=train, epochs=2000)
    listed = [found.resource_name for found in sft.SupervisedTuningJob.list()]
    check("vertexai: SupervisedTuningJob.list, newest first", listed[:2],
          [long.resource_name, job.resource_name])  # fmt: skip
    long.cancel()
    wait_until(lambda: long.refresh().has_ended)
    check("vertexai: cancel ends in", long.state.name, "JOB_STATE_CANCELLED")
    check("vertexai: a cancelled job's error code", long.error.code, 1)


# ---- google-genai, and google-cloud-aiplatform for the metrics -----------------------------------


def use_genai_and_aiplatform(url: str, train: str, validation: str) -> None:
    """Tune by the current SDK, ask the endpoint, read the metrics as Google's notebook does."""
    from google import genai
    from google.genai import types
    from google.oauth2.credentials import Credentials

    client = genai.Client(
        vertexai=True,
        project=PROJECT,
        location=LOCATION,
        credentials=Credentials("any"),
        http_options=types.HttpOptions(base_url=url),
    )
    job = client.tunings.tune(
        base_model=BASE_MODEL,
        training_dataset=types.TuningDataset(gcs_uri=train),
        config=types.CreateTuningJobConfig(
            epoch_count=3,
            adapter_size=types.AdapterSize.ADAPTER_SIZE_FOUR,
            learning_rate_multiplier=1.0,
            tuned_model_display_name="order-numbers",
            validation_dataset=types.TuningValidationDataset(gcs_uri=validation),
        ),
    )
    check("genai: tunings.tune returns a job that waits", job.state.name, "JOB_STATE_PENDING")
    wait_until(lambda: client.tunings.get(name=job.name).has_ended)
    job = client.tunings.get(name=job.name)
    check("genai: tunings.get until has_ended", job.state.name, "JOB_STATE_SUCCEEDED")
    check("genai: a checkpoint for each epoch", [c.epoch for c in job.tuned_model.checkpoints],
          [1, 2, 3])  # fmt: skip
    answer = client.models.generate_content(model=job.tuned_model.endpoint, contents=QUESTION)
    check("genai: generate_content on the endpoint", answer.text, ANSWER)
    chunks = client.models.generate_content_stream(
        model=job.tuned_model.endpoint, contents=QUESTION
    )
    check("genai: the same, streamed", "".join(chunk.text for chunk in chunks), ANSWER)
    check_metrics(job.experiment)
    long = client.tunings.tune(
        base_model=BASE_MODEL,
        training_dataset=types.TuningDataset(gcs_uri=train),
        config=types.CreateTuningJobConfig(epoch_count=2000),
    )
    names = [found.name for found in client.tunings.list(config={"page_size": 1})]
    check("genai: tunings.list, newest first, over pages", names[:2], [long.name, job.name])
    client.tunings.cancel(name=long.name)
    wait_until(lambda: client.tunings.get(name=long.name).has_ended)
    long = client.tunings.get(name=long.name)
    check("genai: tunings.cancel ends in", long.state.name, "JOB_STATE_CANCELLED")
    check("genai: a cancelled job's error code", long.error.code, 1)


def check_metrics(experiment_name: str) -> None:
    """Follow the chain of Google's notebook: experiment, its run, TensorBoard run, time series.

    GoogleCloudPlatform/generative-ai: gemini/tuning/sft_gemini_summarization.ipynb
    """
    from google.cloud import aiplatform
    from google.cloud.aiplatform.metadata import context
    from google.cloud.aiplatform.metadata import utils as metadata_utils

    experiment = aiplatform.Experiment(experiment_name=experiment_name)
    wanted = metadata_utils._make_filter_string(
        schema_title="system.ExperimentRun", parent_contexts=[experiment.resource_name]
    )
    (run,) = context.Context.list(wanted)
    board = experiment.get_backing_tensorboard_resource().resource_name
    run_id = run.name.removeprefix(f"{experiment.name}-")
    name = f"{board}/experiments/{experiment.name}/runs/{run_id}"
    check("aiplatform: experiment -> run -> TensorBoard run", run_id != run.name)
    series = aiplatform.TensorboardRun(name).read_time_series_data()
    check("aiplatform: the six metrics", set(series), METRICS)
    losses = [point.scalar.value for point in series["/train_total_loss"].values]
    check("aiplatform: /train_total_loss fell", losses[-1] < losses[0] / 2)
    evaluated = series["/eval_total_loss"].values
    check("aiplatform: /eval_total_loss once an epoch", len(evaluated), 3)


# ---- curl ----------------------------------------------------------------------------------------


def use_curl(url: str, train: str) -> None:
    """Do the same by hand, for both services."""
    jobs = f"{url}/v1/projects/{PROJECT}/locations/{LOCATION}/tuningJobs"
    asked = {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]}
    body: dict[str, Any] = {
        "baseModel": BASE_MODEL,
        "supervisedTuningSpec": {
            "trainingDatasetUri": train,
            "hyperParameters": {"epochCount": "3"},
        },
        "labels": {"by": "curl"},
    }
    job = curl("POST", jobs, body)
    check("curl: create", job["state"], "JOB_STATE_PENDING")
    listed = curl("GET", f"{jobs}?filter=labels.by=curl")["tuningJobs"]
    check("curl: list, with a filter", [found["name"] for found in listed][:1], [job["name"]])
    wait_until(lambda: curl("GET", f"{url}/v1/{job['name']}")["state"] == "JOB_STATE_SUCCEEDED")
    done = curl("GET", f"{url}/v1/{job['name']}")
    check("curl: get, until", done["state"], "JOB_STATE_SUCCEEDED")
    endpoint = done["tunedModel"]["endpoint"]
    answer = curl("POST", f"{url}/v1/{endpoint}:generateContent", asked)
    check("curl: generateContent", text_of(answer), ANSWER)
    body["supervisedTuningSpec"]["hyperParameters"]["epochCount"] = "2000"
    long = f"{url}/v1/{curl('POST', jobs, body)['name']}"
    check("curl: cancel", curl("POST", f"{long}:cancel", {}), {})
    wait_until(lambda: curl("GET", long)["state"] != "JOB_STATE_CANCELLING")
    check("curl: cancelled", curl("GET", long)["state"], "JOB_STATE_CANCELLED")
    gone = curl("GET", f"{jobs}/1")
    check("curl: what is not there", gone["error"]["status"], "NOT_FOUND")

    examples = [{"textInput": question, "output": answer} for question, answer in rows(60)]
    tuned = {
        "displayName": "Order numbers",
        "baseModel": GEMINI_BASE_MODEL,
        "tuningTask": {
            "hyperparameters": {"epochCount": 3},
            "trainingData": {"examples": {"examples": examples}},
        },
    }
    operation = curl("POST", f"{url}/v1beta/tunedModels?tunedModelId=by-curl", tuned)
    model = operation["metadata"]["tunedModel"]
    check("curl: create a tuned model", model, "tunedModels/by-curl")
    wait_until(lambda: curl("GET", f"{url}/v1beta/{operation['name']}").get("done"))
    check("curl: get it, done", curl("GET", f"{url}/v1beta/{model}")["state"], "ACTIVE")
    listed = curl("GET", f"{url}/v1beta/tunedModels")["tunedModels"]
    check("curl: list tuned models", [found["name"] for found in listed][:1], [model])
    answer = curl("POST", f"{url}/v1beta/{model}:generateContent", asked)
    check("curl: ask it", text_of(answer), ANSWER)
    check("curl: delete it", curl("DELETE", f"{url}/v1beta/{model}"), {})


def curl(method: str, address: str, body: Any = None) -> Any:
    """Call curl, the program; return the JSON that came back."""
    data = [] if body is None else ["-H", "Content-Type: application/json", "-d", "@-"]
    done = subprocess.run(
        ["curl", "-sS", "-X", method, *data, address],
        input=None if body is None else json.dumps(body),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"NO  curl {method} {address}: {done.stderr.strip()}", flush=True)
        sys.exit(1)
    return json.loads(done.stdout)


def text_of(answer: Any) -> str:
    return str(answer["candidates"][0]["content"]["parts"][0]["text"])


if __name__ == "__main__":
    main()
