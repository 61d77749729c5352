"""The table of tools/bench: rows of one name in several places, as text and JSON."""

import json

INNKEEPER = "innkeeper"
KVM = "kvm"
BARE = "bare"
PLACES = (INNKEEPER, KVM, BARE)

TOLERANCE_PERCENT = 5
# What a row of few instructions may change by when the compiler feels like it.
TOLERANCE_TICKS = 2


class TableError(Exception):
    """A file that is no table."""


class Table:
    """Rows by name, in the order in which they were first seen."""

    def __init__(self):
        self.rows = {}
        self.exits = {}  # workload -> place -> {reason: count}

    def add(self, name, place, value, mean=None, unit="ticks"):
        """Notes what a row costs in a place; what is there already stays."""
        row = self.rows.setdefault(name, {"unit": unit})
        if place not in row:
            row[place] = value
            if mean is not None and mean != value:
                row.setdefault("mean", {})[place] = mean

    def add_run(self, run):
        """Everything that a machine's run found."""
        for name, value, mean, unit in run.rows:
            self.add(name, run.place, value, mean, unit)
        for workload, counts in run.exits.items():
            self.exits.setdefault(workload, {})[run.place] = counts

    def text(self):
        """The table as lines of text: name, places, how many times as much KVM costs."""
        lines = [("name", *PLACES, "ratio")]
        for name, row in self.rows.items():
            unit = "" if row["unit"] == "ticks" else f" {row['unit']}"
            values = [f"{row[place]:,}{unit}" if place in row else "-" for place in PLACES]
            lines.append((name, *values, ratio(row)))
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        return "\n".join(" ".join([line[0].ljust(widths[0])] +
                                  [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])])
                         for line in lines)

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"rows": self.rows, "exits": self.exits}, file, indent=1)
            file.write("\n")

    def worse_than(self, old):
        """A line for each row that costs Innkeeper more than it did in the rows `old`."""
        lines = []
        for name, row in self.rows.items():
            before = old.get(name, {}).get(INNKEEPER)
            now = row.get(INNKEEPER)
            if before is None or now is None:
                continue
            if now > before * (1 + TOLERANCE_PERCENT / 100) and now > before + TOLERANCE_TICKS:
                lines.append(f"{name}: {before:,} -> {now:,} {row['unit']} "
                             f"({now / before - 1:+.1%})" if before else f"{name}: 0 -> {now:,}")
        return lines


def ratio(row):
    """KVM's cost over Innkeeper's; "-" where one of them has none."""
    if KVM not in row or not row.get(INNKEEPER):
        return "-"
    return f"{row[KVM] / row[INNKEEPER]:.2f}"


def load(path):
    """The rows of a table that was saved."""
    try:
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)["rows"]
        for row in rows.values():
            row.get(INNKEEPER)
        return rows
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TableError(f"{path} is not what --json writes: {error}") from error
