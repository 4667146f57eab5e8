"""What every room may use. It uses nothing of npcam itself."""
