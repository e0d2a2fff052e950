"""What the logs of a run tell: history, causality, verdict. Pure stages; never talks to what runs."""
