"""What invokes a function: notifications, queue messages, changes of secrets and parameters, schedules."""
