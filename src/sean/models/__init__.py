"""The networks: style encoder, SEAN normalization, generator, discriminator, and reading and writing their weights."""
