"""Passwords, logins, keys and roles."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from reason_iad.cli import main
from reason_iad.service.database import Database
from reason_iad.service.database.tables import ApiKey, Event, Person, Session
from reason_iad.service.faults import Fault, Forbidden, Invalid, Throttled
from reason_iad.service.people import People
from reason_iad.service.settings import Settings

WORD = "correct horse battery"


@pytest.fixture
def people(database: Database) -> People:
    made = People(database, 3)
    made.add("ann", "administer", WORD, "test")
    return made


def test_secrets_are_kept_as_hashes_only(people: People, database: Database) -> None:
    token, _ = people.login("ann", WORD)
    key = people.make_key("line", "inspect", "ann")
    with database.reading() as session:
        kept = [session.query(Person).one().password, session.query(Session).one().token,
                session.query(ApiKey).one().hash]  # fmt: skip
        assert session.query(Event).count() == 3
    assert kept[0].startswith("$argon2id$")
    for secret in (WORD, token, key):
        assert not any(secret in each for each in kept)


def test_a_login_lasts_until_it_is_ended(people: People) -> None:
    token, identity = people.login("ann", WORD)
    assert people.of_session(token) == identity
    people.logout(token)
    assert people.of_session(token) is None
    assert people.of_session("made up") is None


def test_a_new_password_ends_the_logins(people: People) -> None:
    token, _ = people.login("ann", WORD)
    people.add("ann", "administer", "another long word", "test")
    assert people.of_session(token) is None
    with pytest.raises(Forbidden):
        people.login("ann", WORD)


def test_a_key_may_be_revoked_and_has_a_scope(people: People) -> None:
    identity = people.of_key(people.make_key("line", "inspect", "ann"))
    assert identity is not None and identity.may("inspect") and not identity.may("review")
    with pytest.raises(Fault, match="already"):
        people.make_key("line", "inspect", "ann")
    key = people.make_key("other", "review", "ann")
    people.revoke_key("other", "ann")
    assert people.of_key(key) is None and people.of_key("riad_none") is None


def test_attempts_are_throttled_by_name(people: People) -> None:
    for _ in range(3):
        with pytest.raises(Forbidden, match="name or the password"):
            people.login("ann", "wrong")
    with pytest.raises(Throttled):
        people.login("ann", WORD)
    with pytest.raises(Forbidden):
        people.login("bob", "wrong")


def test_the_last_administrator_stays(people: People) -> None:
    with pytest.raises(Fault, match="only administrator"):
        people.disable("ann", "ann")
    people.add("bob", "administer", WORD, "ann")
    token, _ = people.login("ann", WORD)
    people.disable("ann", "bob")
    assert people.of_session(token) is None
    with pytest.raises(Forbidden):
        people.login("ann", WORD)


@pytest.mark.parametrize(
    ("name", "role", "word"),
    [("", "review", WORD), ("x", "boss", WORD), ("x", "review", "short"), ("a\nb", "review", WORD)],
)
def test_what_cannot_be_used_is_refused(people: People, name: str, role: str, word: str) -> None:
    with pytest.raises(Invalid):
        people.add(name, role, word, "test")


def test_a_service_for_others_needs_an_administrator_and_says_how_to_make_one(tmp_path: Path) -> None:
    data = tmp_path / "line 2"
    ended = CliRunner().invoke(main, ["serve", "--data", str(data), "--host", "0.0.0.0"])
    assert ended.exit_code == 2
    assert f"first: reason-iad serve --data '{data}' --first-admin NAME." in " ".join(ended.output.split())


def test_keys_and_administrators_are_made_by_command(tmp_path: Path) -> None:
    data, password = tmp_path / "data", tmp_path / "password"
    password.write_text(f"{WORD}\n")
    serve = ["serve", "--data", str(data)]
    ended = CliRunner().invoke(main, [*serve, "--new-key", "camera-1"])
    assert ended.exit_code == 0 and "nobody has a password" in ended.stderr
    key = ended.stdout.strip()
    ended = CliRunner().invoke(main, [*serve, "--first-admin", "ann", "--password-file", str(password)])
    assert ended.exit_code == 0, ended.output
    again = CliRunner().invoke(main, [*serve, "--new-key", "camera-1"])
    assert again.exit_code == 2 and "There is a key 'camera-1' already" in again.output
    reviewer = CliRunner().invoke(main, [*serve, "--new-key", "mes", "--role", "review"])
    assert reviewer.exit_code == 0 and "nobody" not in reviewer.output
    with closing(Database(Settings(data).database_url)) as database:
        people = People(database, 5)
        assert people.login("ann", WORD)[1].role == "administer"
        for made, role in ((key, "inspect"), (reviewer.stdout.strip(), "review")):
            found = people.of_key(made)
            assert found is not None and found.role == role


def test_keys_are_listed_and_revoked_by_command(tmp_path: Path) -> None:
    serve = ["serve", "--data", str(tmp_path / "data")]
    ended = CliRunner().invoke(main, [*serve, "--keys"])
    assert ended.exit_code == 0 and "There are no keys" in ended.output
    key = CliRunner().invoke(main, [*serve, "--new-key", "camera-1"]).stdout.strip()
    CliRunner().invoke(main, [*serve, "--new-key", "mes", "--role", "review"])
    ended = CliRunner().invoke(main, [*serve, "--keys"])
    assert ended.stdout.splitlines() == ["camera-1  inspect", "mes  review"], "no key is shown again"
    ended = CliRunner().invoke(main, [*serve, "--revoke-key", "camera-1", "--keys"])
    assert ended.exit_code == 0 and ended.stdout.splitlines() == ["mes  review"]
    with closing(Database(Settings(tmp_path / "data").database_url)) as database:
        assert People(database, 5).of_key(key) is None
    ended = CliRunner().invoke(main, [*serve, "--revoke-key", "other"])
    assert ended.exit_code == 2 and "There is no key 'other'." in ended.output


def test_a_password_in_a_file_is_not_empty_and_belongs_to_somebody(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    options = ["serve", "--data", str(tmp_path / "data"), "--password-file", str(tmp_path / "empty")]
    assert "--password-file is for --first-admin" in CliRunner().invoke(main, options).output
    ended = CliRunner().invoke(main, [*options, "--first-admin", "ann"])
    assert ended.exit_code == 2 and "empty" in ended.output and str(tmp_path / "empty") in ended.output
