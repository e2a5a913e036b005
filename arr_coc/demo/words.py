"""Common three-letter words that scenes print; most printed words are random letters instead."""

COMMON_WORDS = (
    "ACE", "ACT", "ADD", "AGE", "AID", "AIM", "AIR", "ALE", "ANT", "APE", "APP", "ARC", "ARM", "ART", "ASH",
    "BAG", "BAR", "BAT", "BAY", "BED", "BEE", "BET", "BIG", "BIT", "BOX", "BOY", "BUD", "BUG", "BUS", "CAB",
    "CAN", "CAP", "CAR", "CAT", "COD", "COG", "COW", "CRY", "CUB", "CUP", "CUT", "DAY", "DEW", "DIG", "DIM",
    "DOG", "DOT", "DRY", "EAR", "EAT", "EEL", "EGG", "ELF", "ELK", "ELM", "END", "ERA", "EYE", "FAN", "FAR",
    "FIG", "FIN", "FIR", "FIT", "FIX", "FLY", "FOG", "FOX", "FUN", "FUR", "GAP", "GAS", "GEM", "GUM", "HAM",
    "HAT", "HEN", "HID", "HOP", "HOT", "HUB", "HUT", "ICE", "INK", "INN", "IVY", "JAM", "JAR", "JET", "JOB",
    "JOG", "JOY", "JUG", "KEY", "KID", "KIT", "LAB", "LAP", "LAW", "LEG", "LID", "LIP", "LOG", "MAP", "MIX",
    "MOP", "MUD", "MUG", "NAP", "NET", "NOD", "NUT", "OAK", "OAR", "OIL", "OWL", "PAN", "PAW", "PEA", "PEN",
    "PET", "PIE", "PIG", "PIN", "POD", "POT", "RAM", "RAY", "RIB", "RUG", "RUN", "SAW", "SEA", "SKY", "SUN",
    "TAP", "TEA", "TEN", "TIE", "TIN", "TOP", "TOY", "TUB", "VAN", "WAX", "WEB", "WIN", "YAK", "ZIP", "ZOO",
)  # fmt: skip
