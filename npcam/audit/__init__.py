"""What a careful person asks of an explanation: numbers, pictures, and how to read them."""
