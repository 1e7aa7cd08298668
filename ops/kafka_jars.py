"""The jars of Apache Kafka: from the local Maven repository, else fetched into it from Maven Central, once.

A jar is there whole or not at all: it is fetched beside its place and moved there, so that neither Ctrl-C nor a lost
connection leaves half of one. Needs the extra `stack`.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from jgo.maven import Artifact, MavenContext, PythonResolver

from ops.broker import KAFKA_VERSION
from ops.interrupts import held

_WANTED = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:2.0.17",  # the logging; it brings no versions of its own, as the binding of log4j does
)
_SCOPES = ("compile", "runtime")
_ALL_MB = 44
_TELL_S = 2.0

Say = Callable[[str], object]


class FetchError(Exception):
    """The jars cannot be had. The message says why, and the remedy."""


def class_path(say: Say) -> str:
    """Kafka's class path. `say` is told what is fetched, if anything is. Raises `FetchError`."""
    resolver = _Resolver(say)
    context = MavenContext(resolver=resolver)
    (source,) = context.remote_repos.values()
    try:
        given, brought = resolver.resolve([context.create_dependency(each) for each in _WANTED])
        wanted = [*given, *(each for each in brought if each.scope in _SCOPES)]
        jars = [str(each.artifact.resolve()) for each in wanted]
    except Exception as error:
        host = urlsplit(source).hostname
        raise FetchError(
            f"Apache Kafka {KAFKA_VERSION} を取得できません  cannot be fetched from {host}: {_why(error)}. It comes "
            f"from there once (about {_ALL_MB} MB): connect this machine to it for a moment (through a proxy: set "
            "https_proxy), or let `up` and `demo` use a broker you have: --bootstrap-servers"
        ) from error
    if resolver.fetched:
        say(f"Apache Kafka {KAFKA_VERSION} を取得しました  fetched, and kept in {context.repo_cache}")
    return os.pathsep.join(jars)


class _Resolver(PythonResolver):
    """One that tells what it fetches, and leaves no half of it."""

    def __init__(self, say: Say) -> None:
        super().__init__(progress_callback=self._progress)
        self.fetched = 0  # bytes
        self._say = say
        self._told_s = 0.0

    def download(self, artifact: Artifact) -> Path:
        (source,) = artifact.context.remote_repos.values()
        if not self._told_s:
            self._told_s = time.monotonic()
            self._say(
                f"Apache Kafka {KAFKA_VERSION} を取得します（初回のみ）  fetching it from {urlsplit(source).hostname}, "
                f"about {_ALL_MB} MB, this once"
            )
        place = artifact.cached_path
        assert place is not None
        place.parent.mkdir(parents=True, exist_ok=True)
        beside: str | None = None
        try:
            with held():
                beside = tempfile.mkdtemp(prefix=".denbun-", dir=artifact.context.repo_cache)
            elsewhere = MavenContext(resolver=self, repo_cache=Path(beside), remote_repos=artifact.context.remote_repos)
            found = super().download(
                elsewhere.project(artifact.groupId, artifact.artifactId)
                .at_version(artifact.version)
                .artifact(artifact.classifier, artifact.packaging)
            )
            assert found is not None
            return found.replace(place)
        finally:
            with held():
                if beside is not None:
                    shutil.rmtree(beside, ignore_errors=True)

    @contextlib.contextmanager
    def _progress(self, _: str, __: int) -> Iterator[Callable[[int], None]]:
        def came(count: int) -> None:
            self.fetched += count
            if time.monotonic() - self._told_s >= _TELL_S:
                self._told_s = time.monotonic()
                self._say(f"  {self.fetched // 1_000_000} / {_ALL_MB} MB")

        yield came


def _why(error: BaseException) -> str:
    """What kept it away, in words: the libraries' own are about their classes."""
    kinds = {each.__name__ for each in type(error).__mro__}
    if "ProxyError" in kinds:
        return "the proxy does not let it through"
    if "SSLError" in kinds:
        return "its certificate is not trusted here (REQUESTS_CA_BUNDLE names a file of authorities)"
    if "Timeout" in kinds:
        return "it does not answer in time"
    if "ConnectionError" in kinds:
        return "no connection to it (is there a network?)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
