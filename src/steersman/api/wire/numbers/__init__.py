"""Field numbers, one module for each of the API's types; :mod:`steersman.api.wire.fields` says how to read them."""
