"""What docker-compose.yml needs beside the services themselves: its secrets, the demo's world, its nightly backup."""
