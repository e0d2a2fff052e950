"""The service: a hub over a sequencer, behind gRPC."""
