"""Header fields as the events have them."""

Headers = list[tuple[bytes, bytes]]
