"""The arguments of `denbun`'s commands, by subject. What they do stands in `ops.commands`, loaded only when called."""
