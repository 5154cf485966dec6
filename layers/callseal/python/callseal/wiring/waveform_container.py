"""The container of draw_waveform, the one function that looks into recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callseal.wiring.archive_container import ArchiveContainer

if TYPE_CHECKING:
    from callseal.archive.draw_waveform import WaveformRoutes
    from callseal.core.log import Log


class WaveformContainer(ArchiveContainer):
    """A container that also makes what draws waveforms."""

    def waveform_routes(self, log: Log) -> WaveformRoutes:
        """Return the route of waveforms."""
        from callseal.archive.draw_waveform import WaveformRoutes
        from callseal.archive.granted import GrantedAccess
        from callseal.archive.waveform_table import WaveformTable

        waveforms = WaveformTable(self._client("dynamodb"), self._env.archive_waveforms)
        granted = GrantedAccess(self.visits(log), self.sessions, self.call_access)
        return WaveformRoutes(granted, waveforms, self.archive_bucket)
