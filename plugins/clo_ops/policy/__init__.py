"""Ground floor: the manual's figures and names as typed, validated models."""
