"""The client is tested against a real ingress: its rig stands beside the ingress's own tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "ingress"))
