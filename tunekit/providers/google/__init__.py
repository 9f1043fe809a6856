"""What both Google providers share: credentials, addresses, and what refusals mean. No provider."""
