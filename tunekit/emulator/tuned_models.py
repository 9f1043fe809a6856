"""`tunedModels` of the Gemini API, v1beta: https://ai.google.dev/api/tuning.

The live service has offered no tunable base model since May 2025; this follows its last guide.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from tunekit.providers.local.training import StepReport

from . import trainer, wire
from .trainer import Run, Stopped
from .wire import INTERNAL, JSON, ApiError, bad_fields, integer, listed, page, real
from .world import Call, World

BASES = {
    "models/gemini-1.5-flash-001-tuning": "Gemini 1.5 Flash 001 Tuning",
    "models/gemini-1.0-pro-001": "Gemini 1.0 Pro 001 (Tuning)",
}
CREATING_S = 20.0
EPOCHS, BATCH_SIZE, LEARNING_RATE = 5, 4, 0.001
MOST_INPUT, MOST_OUTPUT, MOST_BYTES, MOST_NAME = 40_000, 5_000, 4 * 2**20, 40

_ID = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_TYPES = "type.googleapis.com/google.ai.generativelanguage.v1beta."


class TunedModel:
    """One tuned model, and the operation that makes it."""

    def __init__(self, world: World, key: str, body: JSON, rows: trainer.Pairs) -> None:
        self.world = world
        self.rows = rows
        self.sequence = world.next_number()
        self.created_s = time.time()
        self.name = f"tunedModels/{key}"
        self.operation = f"{self.name}/operations/{world.new_id()}"
        task = body.get("tuningTask") or {}
        given = task.get("hyperparameters") or {}
        self.epochs = integer(given.get("epochCount"), "epoch_count") or EPOCHS
        self.batch_size = integer(given.get("batchSize"), "batch_size") or BATCH_SIZE
        rate = real(given.get("learningRate"), "learning_rate")
        self.multiplier = real(given.get("learningRateMultiplier"), "learning_rate_multiplier") or 1
        if rate:
            # A real rate means nothing to the small models here; its ratio to the default does.
            self.multiplier = rate / LEARNING_RATE
        self.total_steps = -(-len(rows) // self.batch_size) * self.epochs
        kept = ("displayName", "description", "temperature", "topP", "topK", "readerProjectNumbers")
        now = wire.timestamp(self.created_s)
        self.error: JSON | None = None
        self.snapshots: list[JSON] = []
        self.wire: JSON = {
            "name": self.name,
            "baseModel": body["baseModel"],
            **{field: body[field] for field in kept if body.get(field) is not None},
            "state": "CREATING",
            "createTime": now,
            "updateTime": now,
            "tuningTask": {
                "hyperparameters": {
                    "epochCount": self.epochs,
                    "batchSize": self.batch_size,
                    **(
                        {"learningRateMultiplier": self.multiplier}
                        if given.get("learningRateMultiplier")
                        else {"learningRate": rate or LEARNING_RATE}
                    ),
                },
            },
        }
        self.folder = world.folder / f"{key}-{world.new_id()}"
        self.run = Run(self._live, self.name)
        self.is_held = False

    def hold(self, fields: JSON) -> None:
        """Show these fields from now on; a `state` among them ends the model's own making."""
        with self.world.lock:
            error = fields.pop("error", self.error)
            if "state" in fields:
                self.is_held = True
                self.run.forget()
            self.error = error
            self.wire = {k: v for k, v in {**self.wire, **fields}.items() if v is not None}
            self.wire["updateTime"] = self.world.now()

    def checkpoint(self) -> Path:
        """Return the last epoch's checkpoint."""
        return self.folder / f"epoch-{self.epochs}"

    def shown(self) -> JSON:
        """Return the resource; its snapshots grow while it is made."""
        task = dict(self.wire["tuningTask"])
        if self.snapshots:
            task["snapshots"] = list(self.snapshots)
        return {**self.wire, "tuningTask": task}

    def progress(self) -> JSON:
        """Return the operation."""
        steps = len(self.snapshots)
        metadata: JSON = {
            "@type": _TYPES + "CreateTunedModelMetadata",
            "tunedModel": self.name,
            "totalSteps": self.total_steps,
            "completedSteps": steps,
            "completedPercent": 100 * steps / self.total_steps,
        }
        if self.snapshots:
            metadata["snapshots"] = list(self.snapshots)
        answer: JSON = {"name": self.operation, "metadata": metadata}
        if self.error:
            return {**answer, "done": True, "error": self.error}
        if self.wire["state"] == "ACTIVE":
            response = {"@type": _TYPES + "TunedModel", **self.shown()}
            return {**answer, "done": True, "response": response}
        return answer

    def _live(self) -> None:
        try:
            plan = trainer.make_plan(
                self.rows,
                [],
                epochs=self.epochs,
                batch_size=self.batch_size,
                multiplier=self.multiplier,
                seed=self.world.settings.seed,
            )
            self.run.wait(self.world.wait_s(CREATING_S))
            with self.world.lock:
                self.wire["tuningTask"]["startTime"] = self.world.now()
            trainer.train(
                plan,
                self.run,
                self.world.turns,
                folder=self.folder,
                step_s=self.world.wait_s(trainer.STEP_S),
                on_start=lambda: None,
                on_step=self._on_step,
            )
            self._end("ACTIVE")
        except Stopped:
            return
        except Exception as error:
            # The thread must end in a state that a client can see, whatever happened.
            text = f"Internal error: {type(error).__name__}."
            self._end("FAILED", {"code": INTERNAL, "message": text})

    def _on_step(self, step: StepReport) -> None:
        snapshot = {
            "step": step.step,
            "epoch": step.epoch,
            "meanLoss": step.loss,
            "computeTime": self.world.now(),
        }
        with self.world.lock:
            if not self.is_held:
                self.snapshots.append(snapshot)

    def _end(self, state: str, error: JSON | None = None) -> None:
        with self.world.lock:
            if self.is_held:
                return
            self.error = error
            now = self.world.now()
            self.wire["tuningTask"]["completeTime"] = now
            self.wire["updateTime"] = now
            self.wire["state"] = state


def create(world: World, call: Call) -> JSON:
    """Begin to tune; returns the operation."""
    body = call.body
    key = call.asked("tunedModelId") or _made_up_id(world, str(body.get("displayName") or "tuned"))
    if not _ID.fullmatch(key):
        raise bad_fields([("tuned_model_id", f"{key!r} must match {_ID.pattern}.")])
    base = str(body.get("baseModel") or "")
    if body.get("tunedModelSource"):
        text = "Tuning a tuned model is not supported."
        raise bad_fields([("tuned_model.tuned_model_source", text)])
    if base not in BASES:
        raise ApiError(
            404,
            f"{base or 'The base model'} is not found, or is not supported for createTunedModel.",
        )
    if len(str(body.get("displayName") or "")) > MOST_NAME:
        text = f"It has more than {MOST_NAME} characters."
        raise bad_fields([("tuned_model.display_name", text)])
    rows = _rows_of(body)
    if len(call.raw) > MOST_BYTES:
        raise ApiError(400, "Request payload size exceeds the limit: 4194304 bytes.")
    if f"tunedModels/{key}" in world.tuned_models:
        raise ApiError(409, f"Tuned model tunedModels/{key} already exists.")
    model = TunedModel(world, key, body, rows)
    world.tuned_models[model.name] = model
    answer = model.progress()
    model.run.start()
    return answer


def _made_up_id(world: World, title: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:26].strip("-")
    key = f"{words}-{world.new_id()[:12]}"
    return key if key[0].isalpha() else f"t{key}"


def _rows_of(body: JSON) -> list[tuple[str, str]]:
    task = body.get("tuningTask") or {}
    examples = ((task.get("trainingData") or {}).get("examples") or {}).get("examples") or []
    place = "tuned_model.tuning_task.training_data.examples"
    if not examples:
        raise bad_fields([(place, "Training data is required.")])
    rows, faults = [], []
    for number, example in enumerate(examples):
        text, output = example.get("textInput"), example.get("output")
        if not isinstance(text, str) or not isinstance(output, str) or not text or not output:
            fault = "text_input and output are required"
        elif len(text) > MOST_INPUT or len(output) > MOST_OUTPUT:
            fault = f"text_input has at most {MOST_INPUT} characters, output {MOST_OUTPUT}"
        else:
            rows.append((text, output))
            continue
        faults.append((f"{place}.examples[{number}]", f"{fault}."))
    if faults:
        raise bad_fields(faults[:10])
    return rows


def find(world: World, key: str) -> TunedModel:
    """Return a tuned model. ApiError 404."""
    model = world.tuned_models.get(f"tunedModels/{key}")
    if model is None:
        raise wire.not_found(f"Tuned model tunedModels/{key}")
    return model


def find_ready(world: World, key: str) -> TunedModel:
    """Return a tuned model that can answer. ApiError 404 or 400."""
    model = find(world, key)
    # Held by the admin path, it may be ACTIVE before anything was trained.
    if model.wire["state"] != "ACTIVE" or not model.checkpoint().exists():
        raise wire.precondition(f"{model.name} is in state {model.wire['state']} and can't answer.")
    return model


def get(world: World, call: Call) -> JSON:
    """Return a tuned model."""
    return find(world, call.path["tuned"]).shown()


def get_operation(world: World, call: Call) -> JSON:
    """Return how far tuning is."""
    model = find(world, call.path["tuned"])
    if model.operation.rsplit("/", 1)[1] != call.path["operation"]:
        raise wire.not_found(f"The operation {call.path['operation']}")
    return model.progress()


def list_operations(world: World, call: Call) -> JSON:
    """Return the one operation that a tuned model has."""
    model = find(world, call.path["tuned"])
    shown, token = page([(1, model.progress())], call.query, default=10, most=1000)
    return listed("operations", shown, token)


def list_(world: World, call: Call) -> JSON:
    """Return one page, newest first; `filter` is words to be found in name or description."""
    # Whose a model is has no meaning here: all are mine, and readable by everyone.
    words = [w.lower() for w in call.asked("filter").split() if ":" not in w]
    found = [
        (model.sequence, model.shown())
        for model in world.tuned_models.values()
        if world.is_listed(model.created_s) and all(w in _text_of(model) for w in words)
    ]
    shown, token = page(found, call.query, default=10, most=1000)
    return listed("tunedModels", shown, token)


def _text_of(model: TunedModel) -> str:
    shown = (model.name, model.wire.get("displayName", ""), model.wire.get("description", ""))
    return " ".join(shown).lower()


def patch(world: World, call: Call) -> JSON:
    """Change what is cosmetic, or the defaults of generation."""
    model = find(world, call.path["tuned"])
    asked = [wire.camel(field) for field in call.asked("updateMask").split(",") if field]
    for field in asked or [key for key in call.body if key != "name"]:
        if field not in (
            "displayName",
            "description",
            "temperature",
            "topP",
            "topK",
            "readerProjectNumbers",
        ):
            raise bad_fields([("update_mask", f"{wire.snake(field)} can't be changed.")])
        if call.body.get(field) is None:
            model.wire.pop(field, None)
        else:
            model.wire[field] = call.body[field]
    model.wire["updateTime"] = world.now()
    return model.shown()


def delete(world: World, call: Call) -> JSON:
    """Delete a tuned model, also while it is made."""
    model = find(world, call.path["tuned"])
    model.run.forget()
    del world.tuned_models[model.name]
    return {}


def get_base(world: World, call: Call) -> JSON:
    """Return a base model."""
    name = f"models/{call.path['base']}"
    if name not in BASES:
        raise wire.not_found(name)
    return _base(name)


def list_bases(world: World, call: Call) -> JSON:
    """Return the base models that can be tuned here."""
    return {"models": [_base(name) for name in BASES]}


def _base(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "baseModelId": name.removeprefix("models/"),
        "version": "001",
        "displayName": BASES[name],
        "description": "Emulated: tuned by small models on this machine.",
        "inputTokenLimit": 16_384,
        "outputTokenLimit": 8_192,
        "supportedGenerationMethods": ["generateContent", "createTunedModel"],
        "temperature": 1.0,
        "topP": 0.95,
        "topK": 64,
    }
