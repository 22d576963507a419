"""How the programs are run: settings, logs, metrics, health, start and stop."""
