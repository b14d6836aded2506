"""Read and write formats: JSON, URLs, addresses, times, headers, texts."""
