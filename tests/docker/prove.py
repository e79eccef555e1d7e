"""`docker/prove`: the production installation, proven from the base image to a move that lost its worker."""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.docker.engine import Engine, require_programs
from tests.http_browser import HttpBrowser
from tests.lab import Lab, LabError, LabGuest
from tests.lab.network import BRIDGE

ROOT = Path(__file__).resolve().parents[2]
NAME = "prove"
ENGINE_OCTET = 252
FILES = ("docker-compose.yml", "docker/compose.debian.yml", "docker/compose.tls.yml")
IMAGES = {
    "vm-migrate:dev": ".",
    "vm-migrate-redis:7.0": "docker/redis",
    "vm-migrate-postgres:15": "docker/postgres",
    "vm-migrate-proxy:1.22": "docker/proxy",
}
PRODUCT_USER = 10001  # Dockerfile
WITH_HEALTH_CHECK = {
    "web",
    "worker-migrate",
    "worker-control",
    "worker-storage",
    "scheduler",
    "redis",
    "postgres",
}
HEALTHY_WITHIN_S = 240
MOVED_WITHIN_S = 180


class Proof:
    def __init__(self, folder: Path, certificates: Path | None) -> None:
        self.folder = folder
        self.certificates = certificates
        self.engine = Engine(folder)
        self.private = folder / "installation"
        self.lab: Lab | None = None
        self.address = ""
        self.project = [*_compose_program(self.engine), "-p", NAME, "--env-file", str(self.private / "env")]
        self.project += [word for name in FILES for word in ("-f", name)]

    def compose(self, *arguments: str, check: bool = True) -> str:
        return self.engine.run([*self.project, *arguments], check=check)

    def manage(self, *arguments: str, check: bool = True) -> str:
        return self.compose("exec", "-T", "web", "python", "manage.py", *arguments, check=check)

    # The steps ------------------------------------------------------------------------------------

    def build(self) -> None:
        self.engine.start(own_network=False)
        try:
            known = self.engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
            if "debian:12-slim" not in known:
                words = ["--ca", str(self.certificates)] if self.certificates else []
                with step("base image"):
                    self.engine.run(["docker/make-base", *words])
            for image, context in IMAGES.items():
                with step(f"image {image}") as say:
                    self.engine.docker("build", "--quiet", "--network", "host", "--tag", image, context)
                    size = int(self.engine.docker("image", "inspect", "--format", "{{.Size}}", image))
                    say(f"{size / 1e6:.0f} MB")
        finally:
            self.engine.stop()

    def start_hosts(self) -> Lab:
        with step("two hosts with guests"):
            lab = self.lab = Lab.up(NAME, ["mercury", "jupiter"])
            lab.demo_guests()
        self.engine.start(own_network=True)
        self.address = lab.hosts["mercury"].address.rsplit(".", 1)[0] + f".{ENGINE_OCTET}"
        self.engine.join(lab.storage.init_pid, BRIDGE, self.address)
        return lab

    def write_configuration(self) -> None:
        """Secrets, a certificate, and the lab's keys where the product's user can read them."""
        shutil.rmtree(self.private, ignore_errors=True)
        tls = self.private / "tls"
        tls.mkdir(parents=True)
        self.engine.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "rsa:2048",
                    "-nodes",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=prove",
                ),
                *(
                    "-addext",
                    f"subjectAltName=IP:{self.address}",
                    "-addext",
                    "basicConstraints=critical,CA:false",
                ),
                *("-keyout", f"{tls}/key.pem", "-out", f"{tls}/certificate.pem"),
            ]
        )
        values = {
            "VM_MIGRATE_SECRET_KEY": secrets.token_urlsafe(64),
            "VM_MIGRATE_SECRET_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "VM_MIGRATE_ALLOWED_HOSTS": self.address,
            "POSTGRES_PASSWORD": secrets.token_hex(16),
            "REDIS_PASSWORD": secrets.token_hex(16),
            "NGINX_IMAGE": "vm-migrate-proxy:1.22",
            "VM_MIGRATE_TLS_DIR": str(tls),
        }
        (self.private / "env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))

    def come_up(self) -> None:
        started = time.monotonic()
        with step("compose up"):
            self.compose("up", "-d", "--no-build")
        with step("every health check passes") as say:
            wait(
                lambda: self.health() == dict.fromkeys(WITH_HEALTH_CHECK, "healthy"),
                HEALTHY_WITHIN_S,
                self.health,
            )
            say(f"{time.monotonic() - started:.0f} s after the start of compose up")
        pending = self.manage("showmigrations", "--plan")
        check("the schema service applied every migration", "[X]" in pending and "[ ]" not in pending)
        engine = "from django.db import connection as c; from django.conf import settings as s"
        engine += "; print(c.vendor, s.PRODUCTION)"
        check(
            "production on PostgreSQL",
            self.manage("shell", "--no-imports", "-c", engine).strip() == "postgresql True",
        )

    def connect_hosts(self, lab: Lab) -> str:
        """The operator's password."""
        files = self.private / "lab"
        shutil.copytree(lab.instance.folder / "credentials", files / "credentials")
        status = subprocess.run(
            ["bin/lab", "status", "--name", NAME, "--json"], stdout=subprocess.PIPE, check=True
        ).stdout
        (files / "lab.json").write_text(json.dumps(json.loads(status)[0] | {"folder": "/lab"}))
        for path in [files, *files.rglob("*")]:
            os.chown(path, PRODUCT_USER, PRODUCT_USER)
        with step("connect both hosts over SSH"):
            said = self.compose(
                *("run", "--rm", "--no-deps", "-T", "-v", f"{files}:/lab:ro", "web"),
                *("python", "manage.py", "demo_setup", "--lab", "/lab/lab.json"),
            )
        return re.findall(r"account operator password (\S+)", said)[0]

    def move_by_command(self, lab: Lab) -> None:
        guest, source, destination = pair(lab, "web01")
        with step(f"manage.py move {guest.name} {source} → {destination}") as say:
            line = ["move", guest.name, "--source", source, "--destination", destination, "--wait", "--json"]
            result = json.loads(self.manage(*line, check=False) or "{}")
            say(f"libvirt {result.get('duration_ms')} ms, pause {result.get('downtime_ms')} ms")
        check(f"the product says it was moved ({result.get('error')})", result.get("verdict") == "moved")
        check(f"virsh finds it on {destination} only", guest.where() == {destination: "running"})

    def move_by_browser(self, lab: Lab, password: str) -> None:
        os.environ["SSL_CERT_FILE"] = str(self.private / "tls" / "certificate.pem")
        browser = HttpBrowser(f"https://{self.address}")
        browser.log_in("operator", password)
        check("logged in over TLS", True)
        cookie = "; ".join(f"{one.name}={one.value}" for one in browser.jar)
        ours, foreign = browser.url, "https://elsewhere.example"
        check("the live connection passes the proxy", self.open_websocket(cookie, ours) == 101)
        check("and is refused to another site's page", self.open_websocket(cookie, foreign) == 403)
        guest, source, destination = pair(lab, "web01")
        find = (
            "from hosts.models import Guest, Host; "
            f"print(Guest.objects.present().get(name='{guest.name}', host__name='{source}').pk,"
            f" Host.objects.get(name='{destination}').pk)"
        )
        guest_id, host_id = map(int, self.manage("shell", "--no-imports", "-c", find).split())
        with step(f"the dialog over HTTPS: {guest.name} {source} → {destination}"):
            browser.migrate(guest_id, host_id, "docker/prove")
            wait(lambda: guest.where() == {destination: "running"}, MOVED_WITHIN_S, guest.where)
            wait(lambda: self.last_move()["verdict"] == "moved", MOVED_WITHIN_S, self.last_move)

    def move_with_killed_worker(self, lab: Lab) -> None:
        guest, source, destination = pair(lab, "mail01")
        line = [
            "move",
            guest.name,
            "--source",
            source,
            "--destination",
            destination,
            "--bandwidth-mib-per-s",
            "3",
        ]
        self.manage(*line)
        wait(
            lambda: self.last_move()["phase"] == "transferring" and self.last_move()["percent"] >= 5,
            60,
            self.last_move,
        )
        worker = self.container("worker-migrate")
        with step(f"{guest.name} {source} → {destination}, its worker killed under way") as say:
            os.kill(int(self.engine.docker("inspect", "--format", "{{.State.Pid}}", worker)), signal.SIGKILL)
            wait(lambda: self.last_move()["verdict"], MOVED_WITHIN_S, self.last_move)
            say(f"taken over {self.last_move()['epoch'] - 1} time(s)")
        check(f"it was moved ({self.last_move()})", self.last_move()["verdict"] == "moved")
        check("another process took it over", self.last_move()["epoch"] > 1)
        check(f"virsh finds it on {destination} only", guest.where() == {destination: "running"})
        restarts = self.engine.docker("inspect", "--format", "{{.RestartCount}}", worker).strip()
        check(f"the engine started the worker again ({restarts})", restarts == "1")

    def stop(self) -> None:
        """Of a quiet installation, so that nothing is worth waiting for."""
        with step("compose stop") as say:
            started = time.monotonic()
            self.compose("stop")
            say(f"{time.monotonic() - started:.0f} s")
        codes = self.engine.docker("ps", "--all", "--format", "{{.Names}} {{.Status}}")
        check(f"nothing had to be killed\n{codes}", "(137)" not in codes)

    def restore(self) -> None:
        """The backup of docs/guide/production.md, with PostgreSQL alone."""
        self.compose("up", "-d", "--no-build", "postgres")
        wait(lambda: self.health_of("postgres") == "healthy", 60, lambda: self.health_of("postgres"))
        before = self.last_move()
        with step("dump and restore the database"):
            for line in (
                "pg_dump -U vm_migrate -Fc vm_migrate >/tmp/dump",
                "pg_restore -U vm_migrate -d vm_migrate --clean --if-exists --exit-on-error </tmp/dump",
            ):
                self.compose("exec", "-T", "postgres", "sh", "-c", line)
        check("the history is there again", self.last_move() == before)

    def clear(self) -> None:
        """Whatever has been made so far, in the opposite order."""
        if self.engine.process:
            if (self.private / "env").exists():
                self.compose("down", "--volumes", "--timeout", "5", check=False)
            self.engine.stop()
        shutil.rmtree(self.private, ignore_errors=True)
        if self.lab:
            self.lab.down()

    # What is seen ---------------------------------------------------------------------------------

    def container(self, service: str) -> str:
        return self.compose("ps", "-q", service).split()[0]

    def health(self) -> dict[str, str]:
        names = [self.container(service) for service in sorted(WITH_HEALTH_CHECK)]
        states = self.engine.docker("inspect", "--format", "{{.State.Health.Status}}", *names).split()
        return dict(zip(sorted(WITH_HEALTH_CHECK), states, strict=True))

    def health_of(self, service: str) -> str:
        return self.engine.docker(
            "inspect", "--format", "{{.State.Health.Status}}", self.container(service)
        ).strip()

    def last_move(self) -> dict[str, Any]:
        query = (
            "select json_build_object('phase', phase, 'verdict', verdict, 'epoch', epoch, 'error', error_text,"
            " 'percent', coalesce((progress_data->>'percent')::float, 0))"
            " from jobs_migration order by id desc limit 1"
        )
        line = self.compose(
            "exec", "-T", "postgres", "psql", "-U", "vm_migrate", "-d", "vm_migrate", "-Atc", query
        )
        return dict(json.loads(line))

    def open_websocket(self, cookie: str, origin: str) -> int:
        """The status of the handshake: 101 when it is open."""
        trust = ssl.create_default_context(cafile=str(self.private / "tls" / "certificate.pem"))
        connection = http.client.HTTPSConnection(self.address, context=trust, timeout=15)
        headers = {"Cookie": cookie, "Origin": origin, "Connection": "Upgrade", "Upgrade": "websocket"}
        key = base64.b64encode(os.urandom(16)).decode()
        headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
        try:
            connection.request("GET", "/ws/live/", headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()


def pair(lab: Lab, name: str) -> tuple[LabGuest, str, str]:
    """A running guest, where it is, and where it is not."""
    guest = lab.guests[name]
    source = next(host for host, state in guest.where().items() if state == "running")
    return guest, source, next(host for host in lab.hosts if host != source)


@contextmanager
def step(name: str) -> Iterator[Callable[[str], None]]:
    """Say what is done and how long it took; what is handed to the function is said beside it."""
    remarks: list[str] = []
    started = time.monotonic()
    yield remarks.append
    print(
        f"  {time.monotonic() - started:6.1f} s  {name}{''.join(f' ({one})' for one in remarks)}", flush=True
    )


def check(what: str, holds: bool) -> None:
    if not holds:
        raise LabError(f"does not hold: {what}")
    print(f"      true  {what}", flush=True)


def wait(condition: Callable[[], object], within_s: float, seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"not within {within_s:.0f} s; last seen: {seen()}")
        time.sleep(1)


def _compose_program(engine: Engine) -> list[str]:
    """Version 2 is a plugin of docker, version 1 (Debian 12) a program."""
    plugin = subprocess.run(
        ["docker", "compose", "version"], capture_output=True, env=engine.environment, check=False
    )
    if plugin.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose") is None:
        raise LabError("missing: docker-compose. apt-get install docker-compose")
    return ["docker-compose"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="docker/prove", description="Prove the production installation.")
    parser.add_argument(
        "--folder", type=Path, help="keep the images here (several GB), use those that are here"
    )
    parser.add_argument("--ca", type=Path, help="certificates to trust while building")
    options = parser.parse_args()
    os.chdir(ROOT)
    started = time.monotonic()
    try:
        require_programs()
        folder = (
            options.folder or Path(tempfile.mkdtemp(prefix="vm-migrate-prove-", dir="/var/lib"))
        ).resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            prove(Proof(folder, options.ca))
        finally:
            if options.folder is None:
                shutil.rmtree(folder, ignore_errors=True)
    except (LabError, subprocess.SubprocessError, OSError) as error:
        print(f"docker/prove: {error}", file=sys.stderr)
        return 1
    print(f"docker/prove: proven in {time.monotonic() - started:.0f} s")
    return 0


def prove(proof: Proof) -> None:
    try:
        proof.build()
        lab = proof.start_hosts()
        proof.write_configuration()
        proof.come_up()
        password = proof.connect_hosts(lab)
        proof.move_by_command(lab)
        proof.move_by_browser(lab, password)
        proof.move_with_killed_worker(lab)
        proof.stop()
        proof.restore()
    finally:
        proof.clear()


if __name__ == "__main__":
    sys.exit(main())
