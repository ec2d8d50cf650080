"""Reads the Prometheus text format."""

import re

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


class Metrics:
    """One scrape. `value` adds up all samples of a name whose labels are as asked; 0 where there is none."""

    def __init__(self, text):
        self.text = text
        self.samples = []  # (name, {label: value}, number)
        self.types = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                self.types[name] = kind
            elif line and not line.startswith("#"):
                match = _SAMPLE.match(line)
                if not match:
                    raise ValueError(f"no sample: {line!r}")
                labels = {name: re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), value)
                          for name, value in _LABEL.findall(match[2] or "")}
                self.samples.append((match[1], labels, float(match[3])))

    def value(self, name, **labels):
        if not name.startswith(("postern_", "process_")):
            name = "postern_" + name
        return sum(number for sample, have, number in self.samples
                   if sample == name and all(have.get(key) == value for key, value in labels.items()))

    def names(self):
        return {name for name, _, _ in self.samples}

    def labels(self, name):
        return [labels for sample, labels, _ in self.samples if sample == name]
