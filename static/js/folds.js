// What a person has folded or unfolded stays so when the part around it is drawn anew: a morph leaves `open` alone.
htmx.registerExtension("folds", {
  htmx_before_morph_attr: (element, { attrName }) => !(attrName === "open" && element instanceof HTMLDetailsElement),
});
