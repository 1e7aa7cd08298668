"""What the evidence tells of the place where it was made: versions, and the settings that the results depend on."""

import platform
from importlib import metadata

from images.editions import digest_of
from ops.broker import KAFKA_VERSION
from ops.version import commit
from schemas.installation import Installation
from schemas.telegrams import PartnerSpec


def facts_of(installation: Installation, partner: PartnerSpec) -> dict[str, str]:
    """By name, in the order in which they are shown; ``denbun`` is the version."""
    settings = installation.partner_named(partner.name)
    fields = [field for telegram in partner.telegrams.values() for field in telegram.fields]
    assumed = sum(field.assumption for field in fields)
    return {
        "denbun": f"{metadata.version('denbun')} ({commit() or 'no repository'})",
        "Python": platform.python_version(),
        "Kafka": f"{KAFKA_VERSION} (embedded)" if installation.kafka.replication == 1 else "cluster",
        "電文レイアウト layouts": f"{partner.name} {digest_of(settings.telegrams)}",
        "仮定の項目 assumptions": f"{assumed} / {len(fields)}",
        "回線 lines": ", ".join(
            f"{line.name} ({line.mode})" for line in installation.line if partner.name in line.partners
        ),
        "報告待ち report time-out": f"{settings.report_timeout_ms} ms",
        "取消報告待ち cancel report time-out": f"{settings.cancel.report_timeout_ms} ms",
        "取消指令の上限 commands at most": f"{settings.cancel.commands_max}",
        "C13/C14/C50 の再指令 troubles repeated": f"{settings.cancel.troubles_max}",
    }
