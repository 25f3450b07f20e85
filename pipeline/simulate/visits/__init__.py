"""What happens on a day: who visits, how each visit goes, and the events it makes."""
