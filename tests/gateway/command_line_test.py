#!/usr/bin/env python3
"""The commands of the real binary: what they print where, and their exit status.

command_line_test.py GATEHOUSE POLICIES
"""

import contextlib
import http.server
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

GATEHOUSE, POLICIES = sys.argv[1:3]
SECRET = "a secret of the tests, of more than thirty-two octets"
COMMANDS = ["run", "check", "explain", "token", "healthcheck", "version"]

POLICY = """version: 1
listen: [ {{ address: 127.0.0.1:{port} }} ]
admin: {{ address: "{admin}", token: secret }}
authenticators:
  users:
    jwt:
      issuer: https://id.example.com/
      audience: [realtime]
      algorithms: [HS256]
      keys: [ {{ secret: "${{SECRET}}" }} ]
      max_lifetime: 2h
backends: {{ chat: {{ servers: [ws://127.0.0.1:9] }} }}
routes:
  - path: /chat
    authenticate: [users]
    allow: {{ claim: plan, equals: pro }}
    backend: chat
  - path: /rooms
    authenticate: [users]
    rooms:
      - match: news
        join: everyone
        publish: {{ claim: role, equals: editor }}
"""


def run(*arguments, **options):
    environment = dict(os.environ, SECRET=SECRET, **options.pop("env", {}))
    return subprocess.run(
        [GATEHOUSE, *arguments], capture_output=True, text=True, timeout=60, env=environment, **options
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Test(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.policy = os.path.join(folder.name, "policy.yaml")
        self.write(port=free_port(), admin=f"127.0.0.1:{free_port()}")

    def write(self, **values):
        with open(self.policy, "w", encoding="utf-8") as file:
            file.write(POLICY.format(**values))

    def token(self, *more):
        made = run("token", "--policy", self.policy, "--authenticator", "users", "--subject", "alice", *more)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(made.stdout.count("\n"), 1)
        return made.stdout.strip()

    def explain(self, *arguments, **options):
        return run("explain", "--policy", self.policy, *arguments, **options)

    def assert_denied(self, answer):
        self.assertEqual(answer.returncode, 3, answer.stderr)
        self.assertTrue(answer.stdout.startswith("deny "))


class Usage(Test):
    def test_wrong_usage_is_2_and_says_so_on_stderr(self):
        for arguments in (
            [], ["serve"], ["run", "--nonsense"], ["check", "extra"], ["explain"], ["token"],
            ["explain", "--path"], ["explain", "--path", "/", "--ip", "localhost"],
            ["explain", "--path", "/", "--join", "news", "--publish", "news"],
            ["explain", "--path", "/", "--join"],
            ["token", "--authenticator", "users", "--subject", "a", "--ttl", "5"],
            ["token", "--authenticator", "users", "--subject", "a", "--ttl", "0s"],
        ):
            answer = run(*arguments)
            self.assertEqual(answer.returncode, 2, arguments)
            self.assertNotEqual(answer.stderr, "", arguments)
            self.assertEqual(answer.stdout, "", arguments)

    def test_every_command_has_help(self):
        for arguments in [["--help"], ["-h"]] + [[command, "--help"] for command in COMMANDS]:
            answer = run(*arguments)
            self.assertEqual(answer.returncode, 0, arguments)
            self.assertIn("--help", answer.stdout)
        for command in COMMANDS:
            self.assertIn(command, run("--help").stdout)

    def test_version(self):
        for argument in ("version", "--version"):
            answer = run(argument)
            self.assertEqual(answer.returncode, 0)
            self.assertRegex(answer.stdout, r"^gatehouse \d+\.\d+\.\d+\n$")


class Check(Test):
    def test_a_good_policy_is_0(self):
        answer = run("check", "--policy", self.policy)
        self.assertEqual((answer.returncode, answer.stdout), (0, f"{self.policy}: ok\n"), answer.stderr)

    def test_warnings_are_no_faults(self):
        answer = run("check", "--policy", os.path.join(POLICIES, "good/everything.yaml"),
                     env={"ADMIN_TOKEN": "x", "JWT_SECRET": SECRET})
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(answer.stdout.count(": warning: "), 2)

    def test_a_wrong_one_is_1_with_a_line_for_each_fault(self):
        answer = run("check", "--policy", os.path.join(POLICIES, "wrong/unknown_keys.yaml"))
        self.assertEqual(answer.returncode, 1)
        lines = answer.stdout.splitlines()
        self.assertGreater(len(lines), 20)
        for line in lines:
            self.assertRegex(line, r"^.*wrong/unknown_keys\.yaml:\d+:\d+: ")

    def test_one_that_is_not_there_is_one_line_that_says_what_to_do(self):
        answer = run("check", "--policy", "/nonexistent/policy.yaml")
        self.assertEqual(answer.returncode, 1)
        self.assertEqual(answer.stdout.count("\n"), 1)
        self.assertIn("--policy", answer.stdout)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_one_that_may_not_be_read_says_for_whom(self):
        os.chmod(self.policy, 0)
        answer = run("check", "--policy", self.policy)
        self.assertEqual(answer.returncode, 1)
        self.assertIn(f"user id {os.geteuid()}", answer.stdout)

    def test_without_a_policy_it_is_the_one_in_etc(self):
        answer = run("check")
        self.assertIn("/etc/gatehouse/policy.yaml", answer.stdout)


class Run(Test):
    def test_a_wrong_policy_is_1_and_said_on_stderr(self):
        answer = run("run", "--policy", os.path.join(POLICIES, "wrong/missing.yaml"))
        self.assertEqual(answer.returncode, 1)
        self.assertIn("missing.yaml:1:1: 'listen' is missing", answer.stderr)

    def test_a_port_that_is_taken_is_4(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            self.write(port=other.getsockname()[1], admin=f"127.0.0.1:{free_port()}")
            answer = run("run", "--policy", self.policy)
        self.assertEqual(answer.returncode, 4)
        self.assertIn("cannot listen on", answer.stderr)


class TokenAndExplain(Test):
    def test_a_token_that_was_made_is_allowed(self):
        token = self.token("--claim", "plan=pro", "--claim", "level=3", "--ttl", "5m")
        answer = self.explain("--path", "/chat", "--token-file", "-", input=token + "\n")
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        self.assertTrue(answer.stdout.startswith("allow\n"))
        self.assertNotIn(token, answer.stdout)

    def test_a_token_from_a_file_and_a_socket(self):
        token = self.token("--claim", "plan=pro")
        file = self.policy + ".token"
        with open(file, "w", encoding="utf-8") as output:
            output.write(token + "\n")
        self.assertEqual(self.explain("--path", "/chat", "--token-file", file).returncode, 0)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(token.encode())
            ours.shutdown(socket.SHUT_WR)
            answer = self.explain("--path", "/chat", "--token-file", "-", stdin=theirs)
        self.assertEqual(answer.returncode, 0, answer.stderr)

    def test_what_is_denied_is_3(self):
        self.assert_denied(self.explain("--path", "/chat"))
        self.assert_denied(self.explain("--path", "/nowhere"))
        self.assert_denied(self.explain("--path", "/chat", "--token-file", "-", input="rubbish"))
        self.assert_denied(self.explain("--path", "/chat", "--token-file", "-", input=self.token()))

    def ask(self, *question, claims=()):
        return self.explain("--path", "/rooms", "--token-file", "-", *question, input=self.token(*claims))

    def test_a_room_names_the_line_of_its_rule(self):
        answer = self.ask("--join", "news")
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertRegex(answer.stdout, r"(?m)^room +.*policy\.yaml:21: 'news' matches 'news'$")
        self.assertRegex(answer.stdout, r"(?m)^join +.*policy\.yaml:22: everyone$")
        answer = self.ask("--publish", "news", claims=("--claim", "role=editor"))
        self.assertEqual(answer.returncode, 0, answer.stdout)

    def test_a_room_that_is_denied_is_3(self):
        answer = self.ask("--publish", "news")
        self.assert_denied(answer)
        self.assertRegex(answer.stdout, r"(?m)^publish +.*policy\.yaml:23: \{claim: role, equals: editor\} does not hold")
        self.assert_denied(self.ask("--join", "olds"))
        self.assert_denied(self.ask("--join", ""))
        self.assert_denied(self.explain("--path", "/rooms", "--join", "news"))

    def test_a_token_that_cannot_be_read_is_2(self):
        for answer in (
            self.explain("--path", "/chat", "--token-file", "/nonexistent"),
            self.explain("--path", "/chat", "--token-file", "-", input=" \n"),
            self.explain("--path", "/chat", "--token-file", "/dev/zero"),
        ):
            self.assertEqual((answer.returncode, answer.stdout), (2, ""))

    def test_a_token_that_cannot_be_made_is_2(self):
        base = ["token", "--policy", self.policy]
        for more in (
            ["--authenticator", "usres", "--subject", "alice"],
            ["--authenticator", "users", "--subject", "alice", "--ttl", "3h"],
            ["--authenticator", "users", "--subject", "alice", "--claim", "plan"],
            ["--authenticator", "users", "--subject", "alice", "--key", "/nonexistent"],
        ):
            answer = run(*base, *more)
            self.assertEqual((answer.returncode, answer.stdout), (2, ""), more)
            self.assertNotIn(SECRET, answer.stderr)

    def test_a_wrong_policy_is_1(self):
        wrong = os.path.join(POLICIES, "wrong/missing.yaml")
        self.assertEqual(run("explain", "--policy", wrong, "--path", "/").returncode, 1)
        self.assertEqual(
            run("token", "--policy", wrong, "--authenticator", "a", "--subject", "b").returncode, 1)
        self.assertEqual(run("healthcheck", "--policy", wrong).returncode, 1)


@contextlib.contextmanager
def admin_that_answers(status):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


class Healthcheck(Test):
    def check(self, admin):
        self.write(port=free_port(), admin=admin)
        return run("healthcheck", "--policy", self.policy).returncode

    def test_an_instance_that_is_alive_is_0(self):
        with admin_that_answers(200) as (port, asked):
            self.assertEqual(self.check(f"127.0.0.1:{port}"), 0)
            self.assertEqual(self.check(f"0.0.0.0:{port}"), 0)
            self.assertEqual(asked, ["/healthz", "/healthz"])

    def test_what_is_wrong_elsewhere_in_the_file_does_not_matter(self):
        with admin_that_answers(200) as (port, _):
            self.write(port=free_port(), admin=f"127.0.0.1:{port}")
            with open(self.policy, "a") as file:
                file.write("\nroutse: ${NOT_SET}\n")
            self.assertEqual(run("check", "--policy", self.policy).returncode, 1)
            self.assertEqual(run("healthcheck", "--policy", self.policy).returncode, 0)

    def test_another_answer_and_none_are_1(self):
        with admin_that_answers(503) as (port, _):
            self.assertEqual(self.check(f"127.0.0.1:{port}"), 1)
        self.assertEqual(self.check(f"127.0.0.1:{free_port()}"), 1)
        self.assertEqual(self.check(f"[::1]:{free_port()}"), 1)

    def test_one_that_stays_silent_is_1_within_seconds(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            started = time.monotonic()
            self.assertEqual(self.check(f"127.0.0.1:{silent.getsockname()[1]}"), 1)
            self.assertGreater(time.monotonic() - started, 2)

    def test_what_is_not_http_is_1(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()

            def answer():
                peer, _ = listener.accept()
                with peer:
                    peer.recv(4096)
                    peer.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            self.assertEqual(self.check(f"127.0.0.1:{listener.getsockname()[1]}"), 1)
            thread.join()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
