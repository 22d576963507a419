"""Whether an object may be written: a function of what is asked and of the validators."""

import re
from collections.abc import Iterator
from typing import Any, Final

from api.errors import DriverError
from api.names import CRD_VERSION, PARAMETERS_GROUP, RESOURCE_GROUP
from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS
from webhook.admission import Problem, Repeating, Request, allowed, bad_request, invalid
from webhook.configs import CONFIG, Opaque, opaque_configs
from webhook.validators import PARAMETERS, Validator, Validators

VERSIONS: Final = (*STRUCTURED_VERSIONS, "v1alpha3")
"""Of resource.k8s.io; in v1alpha2 parameters are objects of their own."""

_LOCATED: Final = re.compile(r"([A-Za-z_][\w-]*(?:\.[\w-]+|\[\w+\])*): (.+)", re.DOTALL)
_INDEX: Final = re.compile(r"\.(\d+)(?=[.\[]|$)")


def review(request: Request, validators: Validators) -> JSON:
    """Return the AdmissionReview that answers a request."""
    if not _is_known(request):
        return bad_request(
            request,
            f"{request.resource}.{request.version}.{request.group or 'core'} has no parameters of "
            "this webhook's drivers; leave it out of the rules of the "
            "ValidatingWebhookConfiguration",
        )
    problems = list(_problems(request, validators)) if request.writes_spec else []
    return invalid(request, problems) if problems else allowed(request.uid)


def _is_known(request: Request) -> bool:
    if request.group == RESOURCE_GROUP:
        return request.version in VERSIONS and request.resource in CONFIG
    place = (request.group, request.version)
    return place == (PARAMETERS_GROUP, CRD_VERSION) and request.resource in PARAMETERS


def _problems(request: Request, validators: Validators) -> Iterator[Problem]:
    if request.group == PARAMETERS_GROUP:
        yield from _found(PARAMETERS[request.resource], request.obj, "")
        return
    for config in opaque_configs(request.obj, request.resource):
        validator = validators.find(config.driver, request.version, request.resource)
        if validator is not None:
            yield from _in_config(validator, config)


def _in_config(validator: Validator, config: Opaque) -> Iterator[Problem]:
    parameters = {} if config.parameters is None else config.parameters
    if not isinstance(parameters, dict):
        yield Problem(config.field, "It has to be an object.")
        return
    yield from _repeated(parameters, config.field)
    yield from _found(validator, parameters, config.field)


def _found(validator: Validator, parameters: JSON, at: str) -> Iterator[Problem]:
    try:
        found = validator(parameters)
    except DriverError as error:
        # it would not be prepared either
        found = [str(error)]
    for each in found:
        yield _located(each, at)


def _located(told: str, at: str) -> Problem:
    """Return what a validator says, with the whole path of the field."""
    match = _LOCATED.fullmatch(told)
    if match is None:
        return Problem(at, told)
    path = _INDEX.sub(r"[\1]", match[1])
    return Problem(f"{at}.{path}" if at else path, match[2])


def _repeated(value: Any, at: str) -> Iterator[Problem]:
    """Yield the members that JSON has twice: one of them was meant, and nobody knows which."""
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _repeated(inner, f"{at}[{index}]")
    elif isinstance(value, dict):
        for name in value.repeated if isinstance(value, Repeating) else ():
            yield Problem(f"{at}.{name}", "It is given more than once.")
        for name, inner in value.items():
            yield from _repeated(inner, f"{at}.{name}")
