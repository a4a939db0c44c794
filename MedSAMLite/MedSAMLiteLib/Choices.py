"""The combo boxes whose entries are known only when the module runs: model, window, rule and runtime."""

import qt
from medsam_backends.intensity import PRESETS
from medsam_backends.propagation import RULES
from medsam_backends.runtimes import AUTO, available_runtimes
from slicer.i18n import tr as _

__all__ = ["Choices"]


class Choices:
    """Binds each combo box to its text parameter, both ways."""

    def __init__(self, ui, models):
        self.ui, self.models = ui, models
        self._parameters = None
        self._rows = {}
        self._combos = {
            "model": ui.modelComboBox,
            "preset": ui.presetComboBox,
            "rule": ui.ruleComboBox,
            "runtime": ui.runtimeComboBox,
        }
        self._fill("preset", [(p.name, p.name, _tip(p)) for p in PRESETS.values()])
        rules = [("", _("Of the model"), _("The rule that the model was made for."))]
        self._fill("rule", rules + [(name, name, "") for name in RULES])
        self._fill("runtime", _runtimes())
        for name, combo in self._combos.items():
            combo.connect("currentIndexChanged(int)", lambda _index, name=name: self._onChosen(name))

    def connect(self, parameters):
        """Bind to a parameter node, or to none."""
        self._parameters = None  # filling must not write
        if parameters is not None:
            self.fillModels(parameters)
            self.refresh(parameters)
        self._parameters = parameters

    def fillModels(self, parameters):
        """List the models that can segment; a chosen one that is gone stays listed as missing."""
        rows = self.models.usable()
        self._rows = {row.id: row for row in rows}
        entries = [(row.id, row.name, self._modelTip(row)) for row in rows]
        if parameters is not None and parameters.model and parameters.model not in self._rows:
            entries.insert(0, (parameters.model, _("{id} (missing)").format(id=parameters.model), ""))
        bound, self._parameters = self._parameters, None
        self._fill("model", entries)
        if parameters is not None:
            if not parameters.model and rows:
                parameters.model = rows[0].id
            self.refresh(parameters)
        self._parameters = bound

    def specOf(self, identifier):
        """The `BackendSpec` of a model that can segment; None otherwise."""
        row = self._rows.get(identifier)
        return row.spec if row is not None else None

    def refresh(self, parameters):
        """Show the parameters, and what belongs to the model and the window chosen."""
        bound, self._parameters = self._parameters, None
        for name, combo in self._combos.items():
            index = combo.findData(getattr(parameters, name))
            if index >= 0 and index != combo.property("currentIndex"):
                combo.setCurrentIndex(index)
        self._parameters = bound
        manual = parameters.preset == "manual"
        for widget in (self.ui.levelLabel, self.ui.levelSpinBox, self.ui.widthSpinBox):
            widget.setVisible(manual)
        row = self._rows.get(parameters.model)
        if row is not None:
            text = " ".join(row.limits)
        elif self._rows:
            text = _("This model is not installed here: choose another, or see Manage models.")
        else:
            text = _("No model was found: install one with Manage models.")
        self.ui.modelLimitsLabel.setText(text)
        self.ui.modelLimitsLabel.setVisible(bool(text))

    def _onChosen(self, name):
        if self._parameters is None:
            return
        combo = self._combos[name]
        value = combo.itemData(combo.property("currentIndex"))
        if value is not None and value != getattr(self._parameters, name):
            setattr(self._parameters, name, value)

    def _fill(self, name, entries):
        combo = self._combos[name]
        combo.clear()
        for row, (value, text, tip) in enumerate(entries):
            combo.addItem(text, value)
            combo.setItemData(row, tip, qt.Qt.ToolTipRole)

    def _modelTip(self, row):
        return _("{name}: for {modalities}; licence {licence}; {size:.1f} MB; {source}").format(
            name=row.name,
            modalities=", ".join(row.modalities) or _("any image"),
            licence=row.licence,
            size=row.size_bytes / 1e6,
            source=row.source,
        )


def _tip(preset):
    window = "" if preset.level is None else f" (level {preset.level:g}, width {preset.width:g})"
    return f"{preset.description}{window}. Source: {preset.source}."


def _runtimes():
    entries = [(AUTO, _("Automatic"), _("Tries what is installed once for a model, and takes the fastest."))]
    for name, reason in available_runtimes().items():
        entries.append((name, _("{name} (not installed)").format(name=name) if reason else name, reason))
    return entries
