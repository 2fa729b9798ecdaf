"""Why two things are similar: slots, regions and words; conditions and relevance."""
