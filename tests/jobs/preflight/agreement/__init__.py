"""The preflight against libvirt itself: what is arranged, what is said, what then really happens."""
