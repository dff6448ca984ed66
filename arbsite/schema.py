"""The OpenAPI schema of structs: what an endpoint reads and answers, exactly as encoded.

`describe` decorates a view method; `add_components` (named in the settings) puts the
structs used into the generated document. Not here: decoding requests (`arbsite.inputs`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from arbsite.problems import Problem

IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string"},
    OpenApiParameter.HEADER,
    description="The version the change was made from, in place of `version` in the body.",
)
_REF = "#/components/schemas/{name}"
_described: dict[str, type[msgspec.Struct]] = {"Problem": Problem}
View = TypeVar("View", bound=Callable[..., Any])

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "format": "uuid"},
    OpenApiParameter.HEADER,
    required=True,
    description="A new UUID for each command; the same one when a command is sent again.",
)


def describe(
    *,
    answer: type[msgspec.Struct] | None,
    status: int = 200,
    body: type[msgspec.Struct] | None = None,
    query: type[msgspec.Struct] | None = None,
    parameters: tuple[OpenApiParameter, ...] = (),
    also: dict[int, type[msgspec.Struct]] | None = None,
    is_public: bool = False,
    name: str | None = None,
) -> Callable[[View], View]:
    """Say what a view method reads and answers; `also` adds further good answers.

    `name` replaces the operation's generated name where two would be alike.
    """
    responses: dict[Any, Any] = {
        status: _reference(answer) if answer is not None else OpenApiResponse(description="Done")
    }
    responses |= {code: _reference(kind) for code, kind in (also or {}).items()}
    responses["default"] = OpenApiResponse(_reference(Problem), description="Refused or failed")
    found = [*parameters, *(_query_parameters(query) if query is not None else [])]
    decorate: Callable[[View], View] = extend_schema(
        operation_id=name,
        request={"application/json": _reference(body)} if body is not None else None,
        responses=responses,
        parameters=found,
        auth=[] if is_public else None,
    )
    return decorate


def add_components(result: Any, generator: Any, request: Any, public: Any) -> Any:
    """A post-processing hook: add the described structs to the document's components."""
    _, components = msgspec.json.schema_components(_described.values(), ref_template=_REF)
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(components)
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    return result


def _reference(kind: type[msgspec.Struct]) -> dict[str, Any]:
    _described[kind.__name__] = kind
    return {"$ref": _REF.format(name=kind.__name__)}


def _query_parameters(kind: type[msgspec.Struct]) -> list[OpenApiParameter]:
    (reference,), components = msgspec.json.schema_components([kind], ref_template="{name}")
    schema = components[reference["$ref"]]
    required = set(schema.get("required", []))
    return [
        OpenApiParameter(
            name,
            {key: entry for key, entry in part.items() if key != "default" or entry is not None},
            OpenApiParameter.QUERY,
            required=name in required,
        )
        for name, part in schema["properties"].items()
    ]
