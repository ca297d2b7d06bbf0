"""From a finding to a person: messages go through the outbox, nothing is mailed directly."""
