"""A page's scripts run by Node, where there is one: the network as the page has it, without the page."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("in_node.js")
LOAD = """
const about = JSON.parse(pageData("network-data"));
await ANSWERS.load({ about, bytes: Uint8Array.from(Buffer.from(pageData("weights-data"), "base64")) });
"""


def needs_node() -> str:
    """Where Node is. Without it the test is skipped, except in CI, where that is a failure."""
    node = shutil.which("node")
    if node is None:
        reason = "needs Node (`node`), which no package brings"
        if (
            os.environ.get("NPCAM_TEST_EVERYTHING")
            and "node" not in os.environ.get("NPCAM_TEST_WITHOUT", "").split()
        ):
            pytest.fail(reason)
        pytest.skip(reason)
    return node


def in_node(page: Path, body: str, given: Any = None) -> Any:
    """What a body of JavaScript returns that sees the page's functions, and `given`; both go as JSON."""
    done = subprocess.run(
        [needs_node(), str(SCRIPT), str(page), body],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
