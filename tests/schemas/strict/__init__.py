"""What strict parsing and canonical bytes take, refuse, and cost."""
