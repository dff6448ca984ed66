"""Secrets in files that are replaced while a process runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arbsite.errors import SetupError
from feeds.secret_files import SecretFile


class Vault:
    """A file with one number in JSON, and how often it was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reads = 0
        self.write("1")

    def write(self, text: str, mode: int = 0o600) -> None:
        """Replace the file as tools do that replace secrets: a new one under the old name."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(mode)
        fresh.replace(self.path)

    def read(self) -> int:
        self.reads += 1
        try:
            return int(json.loads(self.path.read_text()))
        except (OSError, ValueError) as error:
            raise SetupError("the number cannot be read") from error


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "secret")


def test_a_replaced_secret_is_told_once(vault: Vault) -> None:
    file = SecretFile(vault.path, vault.read)
    assert (file.value, file.look(), vault.reads) == (1, None, 1)
    vault.write("2")
    assert file.look() == 2
    assert (file.value, file.look(), vault.reads) == (2, None, 2)


def test_a_link_that_is_turned_to_another_file_is_a_change(tmp_path: Path) -> None:
    """Orchestrators mount secrets as links to a folder that they swap."""
    vault, other = Vault(tmp_path / "one"), Vault(tmp_path / "two")
    other.write("2")
    link = tmp_path / "link"
    link.symlink_to(vault.path)
    file = SecretFile(link, lambda: int(link.read_text()))
    turned = tmp_path / "turned"
    turned.symlink_to(other.path)
    turned.replace(link)
    assert file.look() == 2


def test_a_half_written_secret_changes_nothing_until_it_is_whole(vault: Vault) -> None:
    file = SecretFile(vault.path, vault.read)
    vault.write("[2")
    with pytest.raises(SetupError, match="cannot be read"):
        file.look()
    # Said once.
    assert (file.look(), file.value) == (None, 1)
    vault.write("3")
    assert file.look() == 3


def test_a_file_that_changes_while_it_is_read_is_read_again(vault: Vault) -> None:
    file = SecretFile(vault.path, vault.read)
    rewritten = iter(["33", None, None])

    def read_slowly() -> int:
        found = vault.read()
        if (text := next(rewritten)) is not None:
            vault.write(text)
        return found

    file._read = read_slowly
    vault.write("2")
    assert (file.look(), file.value) == (None, 1)
    assert file.look() == 33


def test_a_secret_open_to_every_account_is_not_used_until_it_is_closed(vault: Vault) -> None:
    file = SecretFile(vault.path, vault.read)
    vault.write("2", mode=0o644)
    with pytest.raises(SetupError, match="chmod 600"):
        file.look()
    assert (file.look(), file.value) == (None, 1)
    vault.path.chmod(0o600)
    assert file.look() == 2


def test_a_secret_that_is_gone_leaves_the_old_one(vault: Vault) -> None:
    file = SecretFile(vault.path, vault.read)
    vault.path.unlink()
    with pytest.raises(SetupError, match="secret is gone"):
        file.look()
    assert (file.look(), file.value) == (None, 1)
    vault.write("2")
    assert file.look() == 2
