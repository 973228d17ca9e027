"""Log in and out; add people and keys."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from reason_iad.service.api.guard import COOKIE, identity_of, needs, session_token
from reason_iad.service.api.parts import service_of
from reason_iad.service.api.problems import documented
from reason_iad.service.api.schemas import Login, MadeKey, Me, NewKey, NewPerson
from reason_iad.service.database.tables import Person
from reason_iad.service.people import SESSION_S

router = APIRouter(prefix="/v1", tags=["people"])
_ERRORS = documented(401, 403, 404, 409, 422, 429, 503)


@router.post("/login", responses=documented(403, 422, 429, 503))
def login(request: Request, response: Response, given: Login) -> Me:
    """Log in with name and password. The answer sets a cookie."""
    service = service_of(request)
    token, identity = service.people.login(given.name, given.password)
    response.set_cookie(
        COOKIE, token, max_age=int(SESSION_S), httponly=True, samesite="strict",
        secure=request.url.scheme == "https", path="/",
    )  # fmt: skip
    return Me(name=identity.name, role=identity.role, csrf=identity.csrf)


@router.post("/logout", status_code=204, dependencies=[needs("inspect")], responses=documented(401, 403, 429, 503))
def logout(request: Request, response: Response) -> None:
    """End this login."""
    if token := session_token(request.headers):
        service_of(request).people.logout(token)
    response.delete_cookie(COOKIE, path="/")


@router.get("/me", dependencies=[needs("inspect")], responses=documented(401, 403, 429, 503))
def me(request: Request) -> Me:
    """Who is asking."""
    identity = identity_of(request)
    return Me(name=identity.name, role=identity.role, csrf=identity.csrf)


@router.get("/people", dependencies=[needs("administer")], responses=_ERRORS)
def people(request: Request) -> list[dict[str, str | bool]]:
    """Who may log in."""
    with service_of(request).database.reading() as session:
        rows = session.scalars(select(Person).order_by(Person.name))
        return [{"name": row.name, "role": row.role, "disabled": row.disabled} for row in rows]


@router.put("/people", status_code=204, dependencies=[needs("administer")], responses=_ERRORS)
def put_person(request: Request, person: NewPerson) -> None:
    """Add a person, or give one a new password and role."""
    by = identity_of(request).name
    service_of(request).people.add(person.name, person.role, person.password, by)


@router.delete("/people/{name}", status_code=204, dependencies=[needs("administer")], responses=_ERRORS)
def delete_person(request: Request, name: str) -> None:
    """Let a person log in no more."""
    service_of(request).people.disable(name, identity_of(request).name)


@router.get("/keys", dependencies=[needs("administer")], responses=_ERRORS)
def keys(request: Request) -> list[dict[str, str | bool]]:
    """The keys of programs."""
    found = service_of(request).people.all_keys()
    return [{"name": key.name, "scope": key.role, "revoked": key.revoked} for key in found]


@router.post("/keys", status_code=201, dependencies=[needs("administer")], responses=_ERRORS)
def make_key(request: Request, key: NewKey) -> MadeKey:
    """Make a key. It is shown this once."""
    made = service_of(request).people.make_key(key.name, key.scope, identity_of(request).name)
    return MadeKey(name=key.name, key=made)


@router.delete("/keys/{name}", status_code=204, dependencies=[needs("administer")], responses=_ERRORS)
def revoke_key(request: Request, name: str) -> None:
    """Make a key useless."""
    service_of(request).people.revoke_key(name, identity_of(request).name)
