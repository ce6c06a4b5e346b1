"""What a splitter is: the split of a labelled window.

Splitters themselves stand beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from pipelines.esrun.labelled_windows import LabeledWindow


class DataSplitterInterface(ABC):
    """Base of splitters, the user's own among them; named in esrun.yaml by `window_prep.data_splitter`.

    Windows come one after another, in an order that does not depend on the number of workers.
    """

    @abstractmethod
    def choose_split_for_window(self, labeled_window: LabeledWindow) -> str:
        """`train`, `val` or `test`."""
