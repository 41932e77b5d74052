"""A private tree of Debian packages, made without root, chroot, mounts or the machine's package database.

Owns downloading and unpacking, and how a program of the tree is started. Refuses to run maintainer scripts
and to write into a finished tree: it is made aside and renamed when it is whole.

Debian stable has no Asterisk; testing has. apt downloads with a state of its own, dpkg-deb unpacks, and each
program starts through the tree's own loader, so that nothing of the machine's libraries is mixed in.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pbxcore.machine.errors import TreeError
from pbxcore.machine.mirror import Mirror, mirrors

SUITE = "forky"  # Debian testing: Asterisk 22
PACKAGES = ("asterisk", "sip-tester", "baresip-core")
MANIFEST = "pbxcore-tree.json"
APT_LIMIT_S = 900  # 110 MB over a slow line
UNPACK_LIMIT_S = 120  # one package
LOCK_LIMIT_S = 1_200  # another process is making the same tree

Progress = Callable[[str, float], None]
"""Told what is being done and how much of it is done, 0 to 1."""


def silent(what: str, fraction: float) -> None:
    """Take progress and say nothing."""
    del what, fraction


def ensure(root: Path, *, progress: Progress = silent, packages: Sequence[str] = PACKAGES) -> bool:
    """Make the tree unless it is there with all these packages; return whether it was made.

    An interrupted making goes on with the packages that were already downloaded.

    Raises:
        TreeError: no mirror, no space, no such package.
    """
    if is_whole(root, packages):
        return False
    root.parent.mkdir(parents=True, exist_ok=True)
    with _alone(root.with_name(root.name + ".lock"), progress):
        if is_whole(root, packages):
            return True
        _make(root, packages, progress)
    return True


def is_whole(root: Path, packages: Sequence[str] = PACKAGES) -> bool:
    """Tell whether a finished tree with these packages is there."""
    return set(packages) <= set(versions(root))


def versions(root: Path) -> dict[str, str]:
    """Return package → version of a tree; empty when there is none."""
    try:
        read = json.loads((root / MANIFEST).read_text())
    except FileNotFoundError:
        return {}
    return {str(package): str(version) for package, version in read["versions"].items()}


def command(root: Path, program: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that starts a program of the tree with the tree's own loader and libraries."""
    root = root.absolute()
    path = next(
        (root / folder / program for folder in ("usr/sbin", "usr/bin") if (root / folder / program).exists()),
        None,
    )
    loader = next(iter(sorted(root.glob("usr/lib*/ld-linux*.so.*"))), None)
    if path is None or loader is None:
        raise TreeError(f"{root} has no program {program}", f"remove {root}; the next start makes it anew")
    return (str(loader), "--library-path", str(libraries(root)), str(path), *arguments)


def libraries(root: Path) -> Path:
    """Return the folder of the tree's shared libraries, `usr/lib/<triplet>`."""
    return next(iter(sorted(root.absolute().glob("usr/lib/*-linux-gnu*/libc.so.6")))).parent


def _make(root: Path, packages: Sequence[str], progress: Progress) -> None:
    work = root.with_name(root.name + ".building")
    work.mkdir(exist_ok=True)
    refused = ""
    for mirror in mirrors():
        config = _apt_config(work, mirror)
        try:
            _apt(config, ("update",), "Reading Debian's package lists", progress)
        except TreeError as error:
            refused = error.message
            continue
        _apt(config, ("install", "--yes", "--download-only", *packages), "Downloading packages", progress)
        break
    else:
        raise TreeError(
            refused, "check the network and the machine's apt sources, or set PBXCORE_DEBIAN_MIRROR"
        )
    files = sorted((work / "cache" / "archives").glob("*.deb"))
    fresh = work / "root"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    _unpack(files, fresh, progress)
    manifest = {"suite": SUITE, "packages": list(packages), "versions": dict(map(_name_and_version, files))}
    (fresh / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    shutil.rmtree(root, ignore_errors=True)
    fresh.rename(root)
    shutil.rmtree(work)


def _apt_config(work: Path, mirror: Mirror) -> Path:
    """Write a configuration that keeps the machine's way to the network and nothing else of its apt."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    (work / "status").touch()
    (work / "mirror.sources").write_text(mirror.stanza(SUITE))
    architecture = _output("dpkg", "--print-architecture")
    here = work.absolute()
    settings = {
        "Dir::Etc::sourcelist": here / "mirror.sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": here,
        "Dir::State::lists": here / "lists",
        "Dir::State::status": here / "status",
        "Dir::State::extended_states": here / "extended_states",
        "Dir::Cache": here / "cache",
        "Dir::Cache::archives": here / "cache" / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Log": here,
        "APT::Architecture": architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # the folder may be one that only its owner may enter
        "APT::Keep-Downloaded-Packages": "true",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Acquire::Check-Valid-Until": "false",  # mirrors that lag
    }
    cleared = ("APT::Architectures", "APT::Update::Pre-Invoke", "APT::Update::Post-Invoke",
               "APT::Update::Post-Invoke-Success", "DPkg::Pre-Invoke", "DPkg::Post-Invoke",
               "DPkg::Pre-Install-Pkgs", "APT::Default-Release")  # fmt: skip
    lines = [f"#clear {key};" for key in cleared] + [f'{key} "{value}";' for key, value in settings.items()]
    lines += [f'APT::Architectures:: "{architecture}";']
    config = work / "apt.conf"
    config.write_text("\n".join(lines) + "\n")
    return config


def _apt(config: Path, arguments: Sequence[str], what: str, progress: Progress) -> None:
    progress(what, 0.0)
    last: deque[str] = deque(maxlen=20)
    words = ["apt-get", "-c", str(config.absolute()), "-q", "-o", "APT::Status-Fd=1", *arguments]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    with subprocess.Popen(  # noqa: S603 — our own words
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as process:
        try:
            _follow(process, last, lambda fraction: progress(what, fraction))
        except BaseException:
            process.kill()
            raise
        code = process.wait()
    if code != 0 or any(line.startswith(("W: Failed to fetch", "E:")) for line in last):
        reason = next((line for line in last if line.startswith(("E:", "W:"))), f"apt-get ended with {code}")
        raise TreeError(f"{what}: {reason}", "check the network, the space left, and `apt-get update`")
    progress(what, 1.0)


def _follow(process: "subprocess.Popen[str]", last: deque[str], progress: Callable[[float], None]) -> None:
    deadline = time.monotonic() + APT_LIMIT_S
    for line in process.stdout or ():
        last.append(line.strip())
        if match := re.match(r"dlstatus:[^:]*:([0-9.]+):", line):
            progress(float(match[1]) / 100)
        if time.monotonic() > deadline:
            raise TreeError(f"apt-get took longer than {APT_LIMIT_S} s", "check the network and try again")


def _unpack(files: Sequence[Path], into: Path, progress: Progress) -> None:
    def unpack(file: Path) -> None:
        _output("dpkg-deb", "--extract", str(file), str(into))

    # base-files first: it holds the links /bin -> usr/bin that the others unpack through.
    ordered = sorted(files, key=lambda file: not file.name.startswith("base-files_"))
    for file in ordered[:1]:
        unpack(file)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done, _ in enumerate(pool.map(unpack, ordered[1:]), start=2):
            progress("Unpacking packages", done / len(files))


def _name_and_version(file: Path) -> tuple[str, str]:
    name, version, _ = file.name.split("_")
    return name, version.replace("%3a", ":")


def _output(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=UNPACK_LIMIT_S, check=True)  # noqa: S603 — our own words
    except FileNotFoundError as error:
        raise TreeError(f"{words[0]} is missing: this is no Debian", "set PBXCORE_ASTERISK=own") from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise TreeError(f"{words[0]} failed: {reason}", "check the space left on this disk") from error
    return done.stdout.strip()


@contextlib.contextmanager
def _alone(lock: Path, progress: Progress) -> Iterator[None]:
    """Hold a lock that dies with the process, so that two starts do not make one tree at once."""
    with lock.open("w") as file:
        deadline = time.monotonic() + LOCK_LIMIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise TreeError(f"another process holds {lock}", "end it and try again") from error
                progress("Waiting for another process that makes the same tree", 0.0)
                time.sleep(0.5)
        yield
