"""Ask. A probe puts a question to the CLO system and returns measurements; it decides nothing."""
