"""This server and its peers, side by side: same model, same requests, same load generator, ratios."""
