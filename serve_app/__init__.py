"""What a client touches: HTTP, the pipeline behind it, and how both are started."""
