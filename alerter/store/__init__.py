"""The daemon's own database: the ledger, the totals, the alerts, the outbox."""
